"""The Python SDK: everything that a program needs to use a server, or to be one, under one name."""

from typing import TYPE_CHECKING, Any

from roundtable.sdk.answering import Cancelled, Chunk, Failed, TimedOut
from roundtable.sdk.asking import CannotStream
from roundtable.sdk.blocking import SyncClient
from roundtable.sdk.client import Client
from roundtable.sdk.event import Event
from roundtable.sdk.following import Reset
from roundtable.sdk.refusals import Unreachable
from roundtable.sdk.streams import Streams
from roundtable.sdk.table import Table
from roundtable.sdk.tables import Convened, Outcome, Posted

if TYPE_CHECKING:
    from roundtable.sdk.local import Local, local

__all__ = [
    "Cancelled",
    "CannotStream",
    "Chunk",
    "Client",
    "Convened",
    "Event",
    "Failed",
    "Local",
    "Outcome",
    "Posted",
    "Reset",
    "Streams",
    "SyncClient",
    "Table",
    "TimedOut",
    "Unreachable",
    "local",
]


def __getattr__(name: str) -> Any:
    """What is a whole server takes a while to import, so who only wants to reach one does not wait for it."""
    if name in ("Local", "local"):
        from roundtable.sdk import local as module  # noqa: PLC0415 - see above

        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
