"""Earlier experiments that a search starts from: their results in one file, and which of them fit the new one."""
