"""The Python SDK: everything that a program needs to use a server, or to be one, under one name."""

from roundtable.sdk.answering import Cancelled, Chunk, Failed, TimedOut
from roundtable.sdk.asking import CannotStream
from roundtable.sdk.blocking import SyncClient
from roundtable.sdk.client import Client, Posted
from roundtable.sdk.event import Event
from roundtable.sdk.following import Reset
from roundtable.sdk.local import Local, local
from roundtable.sdk.refusals import Unreachable
from roundtable.sdk.streams import Convened, Outcome, Streams

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
    "TimedOut",
    "Unreachable",
    "local",
]
