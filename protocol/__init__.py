"""WHAT IS SAID: the words of a table, as values. No I/O, no async, no clock.

Everything else imports from here; this imports only msgspec and the standard library.
"""
