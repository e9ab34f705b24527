"""Being asked to stop: politely the first time, at once the second; or left alone."""

import asyncio
import signal
import sys


def stop_on(*numbers: signal.Signals) -> asyncio.Event:
    """An event that the first of these signals sets. The next one ends the process as it would have without us."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def first() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, first)
    return stop


def stop_with_parent(stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends: the process that started us holds its other end."""
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(sys.stdin)
        stop.set()

    loop.add_reader(sys.stdin, gone)
