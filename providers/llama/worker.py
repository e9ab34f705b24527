"""The child's main: loads the one model it is told of, then answers until the server hangs up. `python -m` this.

Three threads: this one computes, one listens (so that a stop is heard in the middle of a computation), one sends a
pulse. Whatever goes wrong here ends the process; the server says why and starts another.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections import deque
from pathlib import Path
from typing import BinaryIO

import msgspec

from providers.llama import wire
from providers.llama.brake import Brake

# Below the server, whose loop must take and give words meanwhile. Measured: README.md.
NICENESS = 5
# When memory runs out Linux ends the process with the highest score (-1000 to 1000): rather us than the server.
OOM_SCORE = 500
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Inbox:
    """What the server wants, for the thread that computes. Bounded by the server (child.MOST_OPEN)."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asks: deque[wire.Ask] = deque()
        self._halts: list[int] = []

    def ask(self, ask: wire.Ask) -> None:
        """A request has come."""
        with self._changed:
            self._asks.append(ask)
            self._changed.notify()

    def halt(self, request: int) -> bool:
        """A request shall stop; True when it has done so at once because nobody had taken it yet."""
        with self._changed:
            for ask in self._asks:
                if ask.id == request:
                    self._asks.remove(ask)
                    return True
            self._halts.append(request)
            self._changed.notify()
            return False

    def take(self, *, wait: bool) -> tuple[list[wire.Ask], list[int]]:
        """Everything new; with `wait`, once there is something."""
        with self._changed:
            while wait and not (self._asks or self._halts):
                self._changed.wait()
            asks, halts = list(self._asks), self._halts
            self._asks.clear()
            self._halts = []
            return asks, halts


class Outbox:
    """Tells the server, from any thread."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def tell(self, *messages: wire.ToServer) -> None:
        """Send these together; when the server is gone there is nothing left to do."""
        data = b"".join(map(wire.frame, messages))
        with self._lock:
            try:
                self._pipe.write(data)
                self._pipe.flush()
            except OSError:
                os._exit(0)


def main() -> None:
    """Live as long as the server does."""
    pipe = _own_stdout()
    load = wire.read(sys.stdin.buffer)
    if not isinstance(load, wire.Load):
        return
    _behave(load.parent)
    inbox, outbox, brake = Inbox(), Outbox(pipe), Brake()
    threading.Thread(target=_listen, args=(inbox, outbox, brake), daemon=True).start()
    threading.Thread(target=_beat, args=(outbox, load.pulse), daemon=True).start()
    try:
        _work(load, inbox, outbox, brake)
    except Exception:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        # Without the interpreter's and llama.cpp's own farewells: the other threads are in the middle of something.
        os._exit(1)


def _work(load: wire.Load, inbox: Inbox, outbox: Outbox, brake: Brake) -> None:
    from providers.llama.core import Core, Unloadable  # noqa: PLC0415 - llama_cpp: stops are heard while it loads
    from providers.llama.engine import Engine  # noqa: PLC0415

    try:
        core = Core(load, brake)
    except Unloadable as error:
        outbox.tell(wire.Unloadable(str(error)))
        return
    outbox.tell(wire.Ready(core.context))
    told: list[wire.About] = []
    engine = Engine(core, told.append)
    while True:
        # Before the look into the inbox: a stop that comes after it presses again, and ends the step that follows.
        brake.release()
        asks, halts = inbox.take(wait=not engine.busy)
        for ask in asks:
            engine.admit(ask)
        for request in halts:
            engine.halt(request)
        if engine.busy:
            engine.step()
        if told:
            outbox.tell(*told)
            told.clear()


def _listen(inbox: Inbox, outbox: Outbox, brake: Brake) -> None:
    try:
        while message := wire.read(sys.stdin.buffer):
            if isinstance(message, wire.Ask):
                inbox.ask(message)
            elif isinstance(message, wire.Halt):
                if inbox.halt(message.id):
                    outbox.tell(wire.Halted(message.id))
                else:
                    brake.press()
    except (wire.Malformed, msgspec.MsgspecError):
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(0)  # the server is gone, and so is who would hear an answer


def _beat(outbox: Outbox, seconds: float) -> None:
    while True:
        time.sleep(seconds)
        outbox.tell(wire.Pulse())


def _own_stdout() -> BinaryIO:
    """The pipe to the server. Whatever a library prints goes to stderr and not between our messages."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def _behave(parent: int) -> None:
    """Die with the server, give way to it, and leave no core (it would hold the conversations)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    if os.getppid() != parent:
        os._exit(0)  # it died before we asked to be told


if __name__ == "__main__":
    main()
