"""Clients we did not write, each in an environment of its own, against a real server: `python -m tests.clients`."""
