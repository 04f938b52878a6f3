"""Python functions as training programs: finding them, storing their source, and the process that calls one."""
