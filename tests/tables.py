"""Short ways to write tables down in tests: entries from events, and the seats used everywhere."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from protocol import events as e
from protocol.codec import decode_body
from protocol.cursor import ZERO, Cursor
from protocol.messages import Limits, Panelist
from protocol.transcript import Transcript, apply, fold
from roundtable.log.base import EventLog

TERM = 1_763_675_000_000
AT = 1_763_675_000.0
ADA = Panelist("Ada", "scripted:ada", "A clinician.")
BEN = Panelist("Ben", "scripted:ben")
CLEO = Panelist("Cleo", "scripted:cleo")


def opened(*panel: Panelist, **limits: Any) -> list[e.Event]:
    """The first two events of a table."""
    opening = e.TableOpened(
        table="test",
        topic="Why?",
        panel=list(panel or (ADA, BEN)),
        policy="round_robin",
        limits=Limits(**limits),
    )
    return [e.TermBegan(owner="test"), opening]


def entries(events: Iterable[e.Event], after: int = 0, at: float = AT) -> list[e.Entry]:
    """The events as entries, a second apart."""
    return [e.Entry(Cursor(TERM, seq), at + seq, event) for seq, event in enumerate(events, start=after + 1)]


def transcript(*events: e.Event) -> Transcript:
    """The fold of these events."""
    return fold(entries(events))


def turn(number: int, name: str, text: str = "Words.") -> list[e.Event]:
    """A whole turn that went well."""
    who: dict[str, Any] = {"turn": f"t{number}", "panelist": name}
    return [
        e.TurnQueued(**who, round=1),
        e.TurnStarted(**who),
        e.TurnDelta(**who, attempt=1, text=text),
        e.TurnCompleted(**who, text=text),
    ]


async def until(log: EventLog, stream: str, reached: Callable[[Transcript], object]) -> Transcript:
    """Follow a stream that exists, like any reader, until its transcript is as wanted; 20 seconds at the most."""
    transcript, tail = Transcript(), await log.tail()
    await tail.add(stream, ZERO)
    try:
        async with asyncio.timeout(20):
            async for _, records in tail:
                for record in records:
                    apply(transcript, decode_body(*record))
                    if reached(transcript):
                        return transcript
    finally:
        await tail.close()
    raise AssertionError("The log was closed before that.")
