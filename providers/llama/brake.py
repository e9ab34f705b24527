"""Stops llama.cpp in the middle of a computation, from another thread.

llama.cpp asks a callback between the parts of a computation, from its own threads: one in Python would take the
interpreter's lock from everybody each time. So the callback is C's own `strlen`, on a buffer that holds "" or "x".
"""

import ctypes


class Brake:
    """`press` from any thread, `release` from the one that computes. `function(data)` is not 0 while pressed."""

    def __init__(self) -> None:
        self.function = ctypes.CDLL(None).strlen
        self.data = ctypes.create_string_buffer(2)

    def press(self) -> None:
        """Whatever llama.cpp computes ends within milliseconds, unfinished."""
        self.data[0] = b"x"

    def release(self) -> None:
        """The next computation may run."""
        self.data[0] = b"\0"
