"""How much of what was said a prompt has room for: what her model's window leaves, and never more than is worth paying.

The room is told in `turn.started`, so that the same prompt can be made again from the log, whatever is known by then.
"""

import contextlib

from msgspec.structs import replace

from protocol.errors import Invalid
from protocol.messages import Panelist
from protocol.transcript import Transcript, Turn
from providers import base, prices
from providers.catalog import Catalog
from roundtable.deliberation.brief import Brief
from roundtable.deliberation.record import ROOM, WHOLE, WHOLE_ROOM
from roundtable.policies import REPLY
from roundtable.table import exhibits
from roundtable.table.counting import PICTURE, Counter, counter
from roundtable.table.projection import MATERIAL, project

# Tokens, where neither the provider nor the price list tells: less than any model that is offered today takes, and
# more than a prompt has by itself.
UNKNOWN = 16_384
# Tokens kept for the answer unless it is bounded, thinking included; of a small window a quarter.
ANSWER = 4_096
_ANSWERS_SHARE = 1 / 4
# The share of the window that is used where tokens were counted by the model, and where they are guessed.
_MEASURED, _GUESSED = 0.95, 0.8
# Rooms between these are the lower one: a rate that is measured anew must not move the beginning of every prompt.
_STEP = 2_000


def window(catalog: Catalog, panelist: Panelist) -> int | None:
    """Tokens that her model reads and writes in one request, as far as is known without asking; of her fallbacks the
    smallest, since whoever speaks for her is sent the same."""
    found = list[int | None]()
    for model in (panelist.model, *panelist.fallback):
        with contextlib.suppress(Invalid):  # who cannot be had need not hold it
            found.append(_window(catalog, model, panelist))
    return min((each for each in found if each is not None), default=None)


def room(
    transcript: Transcript,
    turn: Turn,
    panelist: Panelist,
    brief: Brief,
    tokens: int | None,
    *,
    sees: bool = False,
) -> int:
    """Characters of what was said, at least 1, for the prompt of a queued turn in a window of so many `tokens`, beside
    the pictures if she `sees` them."""
    most = WHOLE_ROOM if turn.kind in WHOLE or transcript.policy == REPLY else ROOM
    if overflowed := _overflowed(transcript, turn, panelist):
        most = min(most, overflowed // 2)
    counts = counter(transcript, panelist.model)
    total = tokens or UNKNOWN
    kept = min(brief.most or panelist.options.get("max_tokens") or ANSWER, int(total * _ANSWERS_SHARE))
    fixed = project(transcript, panelist, replace(brief, through=""), 0)
    rate = _rate(counts, transcript, fixed.text())
    shown = PICTURE * fixed.pictures() if sees else 0
    left = (
        int((total - kept - shown) * (_MEASURED if counts.measured else _GUESSED) * rate) - fixed.characters()
    )
    # Where both do not fit, what was said has one part of it and material `MATERIAL` parts.
    left = max(left - exhibits.length(transcript), left // (1 + MATERIAL))
    return max(1, min(most, left // _STEP * _STEP))


def _window(catalog: Catalog, model: str, panelist: Panelist) -> int | None:
    provider, name = catalog.resolve(model)
    told = provider.window(name, panelist.options) if isinstance(provider, base.Windows) else None
    return told or prices.window(model)


def _rate(counts: Counter, transcript: Transcript, fixed: str) -> float:
    """Characters per token, guessed by what is said here rather than by our own English."""
    said = [turn.text for turn in transcript.of("completed")[-4:]]
    sample = "".join([transcript.topic, *said]) or fixed
    return len(sample) / max(1.0, counts.tokens(sample))


def _overflowed(transcript: Transcript, turn: Turn, panelist: Panelist) -> int:
    """The room of her last prompt of this kind if this model refused it as too long; else 0."""
    mine = [
        each for each in transcript.turns
        if each.panelist == panelist.name and each.model == panelist.model and each.started_seq
        and (each.kind in WHOLE) == (turn.kind in WHOLE)
    ]  # fmt: skip
    last = mine[-1] if mine else None
    overflowed = last is not None and last.error is not None and last.error.code == "context_overflow"
    return last.room if last is not None and overflowed else 0
