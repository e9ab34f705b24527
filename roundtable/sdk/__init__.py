"""A server's tables from another program."""
