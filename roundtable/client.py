"""The Python SDK: everything that a program needs to use a server, under one name."""

from roundtable.sdk.client import Client, Convened, Outcome
from roundtable.sdk.following import Reset
from roundtable.sdk.refusals import Unreachable

__all__ = ["Client", "Convened", "Outcome", "Reset", "Unreachable"]
