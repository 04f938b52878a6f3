"""Python functions as training programs: where they are found, their source, and the process that calls one."""
