"""Makes a panelist ready to speak: her provider, her prompt, her price and her deadlines."""

from functools import partial

import msgspec

from protocol.transcript import Transcript
from providers import prices
from providers.base import Request
from providers.catalog import Catalog
from roundtable import budget
from roundtable.projection import Projection, project
from roundtable.turn import Deadlines, Speaker

# A model on this machine may read its prompt for minutes, and nobody is charged for waiting: no first deadline.
LOCAL = Deadlines(first=0.0, idle=120.0)


class Seated(msgspec.Struct, frozen=True):
    """Who will speak, and the prompt that she will be sent."""

    speaker: Speaker
    projection: Projection


def seat(transcript: Transcript, turn: str, catalog: Catalog) -> Seated:
    """The speaker of a queued turn, as the table stands now. Raises `Invalid` when her model is not to be had."""
    name = transcript.turn(turn).panelist
    panelist = next(panelist for panelist in transcript.panel if panelist.name == name)
    provider, model = catalog.resolve(panelist.model)
    projection = project(transcript, panelist)
    options = dict(panelist.options)
    request = Request(
        model=model,
        system=projection.system,
        messages=projection.messages,
        max_tokens=_max_tokens(transcript, options.pop("max_tokens", None)),
        options=options,
        speaker=panelist.name,
    )
    speaker = Speaker(
        turn=turn,
        panelist=name,
        provider=provider,
        request=request,
        others=tuple(other.name for other in transcript.panel if other.name != name),
        price=partial(prices.cost, panelist.model),
        deadlines=LOCAL if provider.local else Deadlines(),
    )
    return Seated(speaker, projection)


def model_of(transcript: Transcript, name: str) -> str:
    """The model a panelist speaks through."""
    return next(panelist.model for panelist in transcript.panel if panelist.name == name)


def _max_tokens(transcript: Transcript, wanted: int | None) -> int | None:
    left = budget.tokens_left(transcript)
    known: list[int] = [tokens for tokens in (wanted, left) if tokens is not None]
    return max(1, min(known)) if known else None
