"""For those who run it: is the process alive, can it work, what is it doing."""

import asyncio
from contextlib import suppress
from typing import Literal

import msgspec
from aiohttp import web

from protocol.cursor import ZERO, Cursor
from protocol.errors import Conflict, LogUnavailable
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.limits import Limits
from roundtable.edge.operations import operation
from roundtable.log.base import EventLog, Record

# A probe gives up after 5 to 10 s; a store that cannot write one record in 2 s cannot carry a table.
WRITE_WITHIN = 2.0
# An answer is good for so long, so that probing, which is open to all, cannot become load. Seconds.
KEPT_FOR = 1.0
_PROBE = "probe/ready"


class Status(msgspec.Struct, frozen=True):
    """What a probe is told when all is well."""

    status: Literal["ok", "ready"]


class Health:
    """The probes and the gauges of one server."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._written_at = -KEPT_FOR
        self._probing = asyncio.Lock()

    @operation(tag="server", answers={200: Status})
    async def alive(self, _: web.Request) -> web.Response:
        """`GET /healthz`: the loop turns."""
        return json(Status("ok"))

    @operation(tag="server", answers={200: Status})
    async def ready(self, request: web.Request) -> web.Response:
        """`GET /readyz`: the log takes writes. The host has started, or nobody would be listening."""
        now = asyncio.get_running_loop().time
        async with self._probing:
            if now() - self._written_at >= KEPT_FOR:
                await _write(request.app[keys.LOG])
                self._written_at = now()
        return json(Status("ready"))

    @operation(tag="server", answers={200: "text/plain"})
    async def metrics(self, request: web.Request) -> web.Response:
        """`GET /metrics`: Prometheus' text format, version 0.0.4."""
        lanes = request.app[keys.INVOCATIONS].lanes
        gauges = {
            "roundtable_streams": ("Event streams open.", self._limits.streams),
            "roundtable_streams_limit": ("Event streams that may be open.", self._limits.max_streams),
            "roundtable_invocations": ("Invocations running here.", lanes.running),
            "roundtable_invocations_waiting": ("Invocations waiting here for their turn.", lanes.waiting),
            "roundtable_providers_left_alone": (
                "Providers not asked now, since they failed in a row.",
                len(request.app[keys.CATALOG].left_alone()),
            ),
        }
        text = "".join(
            f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{name} {value}\n"
            for name, (meaning, value) in gauges.items()
        )
        return web.Response(
            body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )


async def _write(log: EventLog) -> None:
    try:
        async with asyncio.timeout(WRITE_WITHIN):
            await log.delete(_PROBE)
            with suppress(Conflict):  # another node is probing, so the store writes
                await log.append(_PROBE, ZERO, [Record(Cursor(1, 1), b"{}")])
    except TimeoutError:
        raise LogUnavailable(f"The log took no write within {WRITE_WITHIN:.0f} s.") from None
