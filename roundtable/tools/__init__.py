"""Anything that can be invoked: each tool is a file, or another package's entry point."""
