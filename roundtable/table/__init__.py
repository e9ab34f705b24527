"""The only writer of one table, and everything it writes with."""
