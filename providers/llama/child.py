"""One child process with one loaded model, seen from the server: requests in, chunks out, and why it ended.

Its end fails what was open, as an error of those requests and of nothing else. Nothing in it needs saving, so it is
always ended by SIGKILL, which also reaches a process that is stopped or stuck in a computation.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from itertools import count
from pathlib import Path
from typing import Protocol

import msgspec

from protocol.errors import ProviderError
from protocol.messages import Usage
from providers.base import Chunk, Stop, Text, Token
from providers.llama import endings, wire
from providers.llama.files import ModelFile
from providers.llama.mail import Mail
from providers.llama.options import Loading

log = logging.getLogger("roundtable.llama")

# Requests of one child that are open at a time. A turn each: more seats than eight tables have.
MOST_OPEN = 64
# Of what the child writes to stderr the end is kept, in bytes: llama.cpp's last words are a few lines.
LAST_WORDS = 4096
# Seconds for a process that has closed its pipe to be gone by itself.
END_WITHIN = 2.0
# What a child may see of the environment: where things are, in which language, and which devices there are. No keys.
VISIBLE = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES", "OMP_NUM_THREADS",
)  # fmt: skip

_ROOT = Path(__file__).parents[2]


class Patience(msgspec.Struct, frozen=True):
    """How long is waited. `pulse` is in seconds, between two signs of life; the others are in pulses.

    Pulses and not seconds: a server that was suspended counts one when it wakes, and blames nobody.
    """

    pulse: float = 5.0
    silent: int = 6  # half a minute: swapping a model in may stop a whole process for a while
    stop: int = 2  # to end a request that was stopped, which takes milliseconds
    idle: int = 120  # ten minutes: longer than a table thinks, and then the memory is given back


class Owner(Protocol):
    """Who keeps the children."""

    def answered(self, child: "Child") -> None:
        """A request was answered to its end."""
        ...

    def vacant(self, child: "Child") -> None:
        """Nothing is open any more."""
        ...

    def ended(self, child: "Child", failure: ProviderError | None) -> None:
        """It takes no more requests; a failure is what nobody asked for."""
        ...


class Child:
    """Starts at once; `answer` may be called at once too. `end` it."""

    def __init__(
        self, file: ModelFile, loading: Loading, owner: Owner, environ: Mapping[str, str], patience: Patience
    ) -> None:
        self.file = file
        self.loading = loading
        self._owner = owner
        self._patience = patience
        self._environ = {name: environ[name] for name in VISIBLE if name in environ} | {
            # An assertion of ggml's would otherwise start a debugger, to print a stack that nobody sees.
            "GGML_NO_BACKTRACE": "1",
        }
        self._open: dict[int, Mail] = {}
        self._halting: dict[int, int] = {}  # pulses since
        self._ids = count(1)
        self._started = asyncio.Event()
        self._process: Process | None = None
        self._ready = False
        self.context: int | None = None  # tokens of one conversation, once it is loaded
        self._last_words = b""
        self._silent = self._vacant = 0  # pulses since
        self._reason: ProviderError | None = None
        self._refusal: str | None = None  # of the file, by llama.cpp
        self._wanted = False  # whether its end is our decision
        self._main = asyncio.create_task(self._run(), name=f"llama {file.name}")

    @property
    def pid(self) -> int | None:
        """Its process, once there is one."""
        return self._process.pid if self._process else None

    @property
    def leaving(self) -> bool:
        """Whether it is being ended, on purpose."""
        return self._wanted

    @property
    def open(self) -> int:
        """How many requests it works on, or has waiting."""
        return len(self._open)

    async def answer(self, ask: wire.Ask) -> AsyncGenerator[Chunk]:
        """One answer, as `providers.base.Provider.stream`. Its closing returns once the child has stopped."""
        async with self._asked(ask) as mail, contextlib.aclosing(mail.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def tokens(self, ask: wire.Ask) -> AsyncGenerator[Token | Text | Stop]:
        """One raw request, as `providers.base.Generates.generate`. Its closing is as that of `answer`."""
        async with self._asked(ask) as mail, contextlib.aclosing(mail.tokens()) as tokens:
            async for token in tokens:
                yield token

    @contextlib.asynccontextmanager
    async def _asked(self, ask: wire.Ask) -> AsyncIterator[Mail]:
        if len(self._open) >= MOST_OPEN:
            detail = f"{self.file.name} has {MOST_OPEN} requests waiting."
            raise ProviderError(detail, code="rate_limited", retryable=True)
        request = next(self._ids)
        mail = self._open[request] = Mail()
        self._vacant = 0
        try:
            await self._ask(mail, msgspec.structs.replace(ask, id=request))
            yield mail
        finally:
            await self._close(request, mail)

    async def end(self, failure: ProviderError | None = None) -> None:
        """End the process, now, and wait until it is gone; open requests fail with `failure`."""
        self._wanted = True
        self._reason = self._reason or failure
        self._kill()
        await asyncio.wait({self._main})

    # -- requests ----------------------------------------------------------------------------------------------

    async def _ask(self, mail: Mail, ask: wire.Ask) -> None:
        try:
            data = wire.frame(ask)
        except (UnicodeEncodeError, RecursionError):
            detail = "What is asked cannot be written down: half a character, or nested too deeply."
            raise ProviderError(detail, code="bad_request", retryable=False) from None
        except ValueError:
            raise ProviderError(
                "The conversation is too long.", code="context_overflow", retryable=False
            ) from None
        await self._started.wait()
        mail.asked = True
        await self._send(data)

    async def _close(self, request: int, mail: Mail) -> None:
        try:
            if mail.asked and not mail.over.is_set():
                self._halting[request] = 0
                await self._send(wire.frame(wire.Halt(request)))
                await mail.over.wait()  # `_watch` sees to it
        finally:
            self._open.pop(request, None)
            if not self._open:
                self._owner.vacant(self)

    async def _send(self, data: bytes) -> None:
        """Write; what becomes of it `_run` finds out."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(data)
                await self._process.stdin.drain()

    # -- the process -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """The process from its start to its end."""
        try:
            self._process = await self._start()
            self._started.set()
            if self._wanted:  # ended before it began
                self._kill()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._note_last_words(self._process.stderr))
                watch = tasks.create_task(self._watch())
                await self._listen(self._process.stdout)
                watch.cancel()
                with contextlib.suppress(TimeoutError):  # how it ended tells why, so it may end by itself
                    async with asyncio.timeout(END_WITHIN):
                        await self._process.wait()
                self._kill()
                await self._process.wait()
        except OSError as error:
            self._reason = endings.unstartable(self.file.name, error)
        finally:
            self._kill()  # should this task be cancelled
            self._conclude()

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "providers.llama.worker",
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self._environ, cwd=_ROOT,
            start_new_session=True,  # the terminal's Ctrl-C is the server's to answer
        )  # fmt: skip
        load = wire.Load(
            path=str(self.file.path), parent=os.getpid(), pulse=self._patience.pulse,
            context=self.loading.context, threads=self.loading.threads, gpu_layers=self.loading.gpu_layers,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(wire.frame(load))
        return process

    async def _listen(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while True:
            try:
                message = await wire.receive(stream)
            except asyncio.IncompleteReadError:
                return
            except wire.Malformed as error:
                self._reason = self._reason or endings.nonsense(self.file.name, error)
                return
            self._silent = 0
            if isinstance(message, wire.Ready):
                self._ready, self.context = True, message.context
                log.info("llama.cpp is ready: model=%s context=%d", self.file.name, message.context)
            elif isinstance(message, wire.Unloadable):
                self._refusal = message.detail
                return
            elif not isinstance(message, wire.Pulse):
                self._deliver(message)

    def _deliver(self, message: wire.About) -> None:
        if isinstance(message, wire.Done | wire.Halted | wire.Failed):
            self._halting.pop(message.id, None)
        mail = self._open.get(message.id)
        if mail is None:
            return
        match message:
            case wire.Reading():
                pass
            case wire.Said():
                mail.put(message)
            case wire.Done():
                usage = Usage(input=message.prompt, output=message.said, cached=message.cached)
                mail.put(Stop(message.reason, usage))
                self._owner.answered(self)
            case wire.Halted():
                mail.put(endings.closed())
            case wire.Failed(_, code, detail):
                mail.put(endings.refused(self.file.name, code, detail))

    async def _watch(self) -> None:
        """Once a pulse: ends a child that is silent, does not stop, or has nothing to do."""
        while True:
            await asyncio.sleep(self._patience.pulse)
            self._silent += 1
            self._vacant = 0 if self._open else self._vacant + 1
            for request in self._halting:
                self._halting[request] += 1
            deaf = any(pulses > self._patience.stop for pulses in self._halting.values())
            if deaf or self._silent > self._patience.silent:
                self._reason = self._reason or endings.hung(self.file.name)
                self._kill()
            elif self._vacant >= self._patience.idle:
                self._wanted = True
                self._kill()

    async def _note_last_words(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while data := await stream.read(LAST_WORDS):
            self._last_words = (self._last_words + data)[-LAST_WORDS:]

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # Not Process.kill: it polls first, which takes the exit status of a dead one away from asyncio.
                os.killpg(self._process.pid, signal.SIGKILL)

    def _conclude(self) -> None:
        """Nothing more will come."""
        failure = None if self._wanted else self._failure()
        if failure is not None:
            log.warning("llama.cpp ended: model=%s: %s", self.file.name, failure.detail)
        for mail in self._open.values():
            mail.put(endings.again(failure or self._reason or endings.closed()))
        self._started.set()
        self._owner.ended(self, failure)

    def _failure(self) -> ProviderError:
        """Why it ended although nobody wanted that; asked when its last words are complete."""
        if self._reason is not None:
            return self._reason
        if self._refusal is not None:
            return endings.unloadable(self.file.name, self._refusal, self._last_words)
        code = self._process.returncode if self._process else None
        return endings.died(self.file.name, code, self._last_words, ready=self._ready)
