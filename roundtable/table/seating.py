"""Makes a panelist ready to speak: her provider, her prompt, her price, her deadlines, and how much she may say."""

from collections.abc import Callable
from functools import partial

import msgspec

from protocol.messages import Cost, Panelist, Usage
from protocol.transcript import Transcript
from providers import prices
from providers.base import Provider, Request
from providers.catalog import Catalog
from roundtable import policies
from roundtable.material.showing import Open, Showing, sees
from roundtable.table import budget, exhibits
from roundtable.table.asking import CHARACTERS_PER_TOKEN, deadlines_of
from roundtable.table.budget import Allowance, Limit
from roundtable.table.projection import Projection, project
from roundtable.table.turn import Speaker

# Fewer tokens are no contribution: two sentences. Who could say no more does not begin.
LEAST = 50
# However much a limit leaves, no turn is allowed more tokens by it, thinking included: a vendor refuses a request that
# allows more than the model can write, which for many is this much.
MOST = 16_384


class Seated(msgspec.Struct, frozen=True):
    """Who will speak, the prompt that she will be sent, and what she may use of what the limits leave."""

    speaker: Speaker
    projection: Projection
    promised: Allowance


def seat(
    transcript: Transcript, turn: str, catalog: Catalog, allowance: Allowance | None, pictures: Open
) -> Seated | Limit:
    """The speaker of a queued turn, as the table stands now; or the limit whose `allowance` is too small for her prompt
    and `LEAST` tokens of answer.

    With none she may speak in any case, as many tokens as the limit on them. Raises `Invalid` when her model is not to
    be had.
    """
    panelist = _panelist(transcript, transcript.turn(turn).panelist)
    provider, model = catalog.resolve(panelist.model)
    brief = policies.brief(transcript, turn)
    projection = project(transcript, panelist, brief)
    price = partial(prices.cost, panelist.model)
    prompt = -(-projection.characters() // CHARACTERS_PER_TOKEN)
    wanted = _least_of(panelist.options.get("max_tokens"), brief.most)
    within = _within(allowance, prompt, price) if allowance else _anyhow(transcript)
    for limit, tokens in within.items():
        if allowance and tokens < min(LEAST, wanted or LEAST):
            return limit
    most = _most(wanted, within)
    request = Request(
        model=model,
        system=projection.system,
        messages=projection.messages,
        max_tokens=most,
        options={name: value for name, value in panelist.options.items() if name != "max_tokens"},
        speaker=panelist.name,
    )
    if exhibits.images(transcript):
        provider, request = _shown(provider, request, pictures)
    speaker = Speaker(
        turn=turn,
        panelist=panelist.name,
        provider=provider,
        request=request,
        others=tuple(other.name for other in transcript.panel if other.name != panelist.name),
        price=price,
        deadlines=deadlines_of(provider),
    )
    return Seated(speaker, projection, _promised(prompt, most, price))


def _shown(provider: Provider, request: Request, pictures: Open) -> tuple[Provider, Request]:
    """A provider that sees is shown the pictures on the table; to another they are named only."""
    if sees(provider):
        return Showing(provider, pictures), request
    blind = tuple(msgspec.structs.replace(message, images=()) for message in request.messages)
    return provider, msgspec.structs.replace(request, messages=blind)


def projected(transcript: Transcript, turn: str) -> Projection:
    """The prompt of a queued turn, from the log before it starts: whoever checks a digest computes it here."""
    panelist = _panelist(transcript, transcript.turn(turn).panelist)
    return project(transcript, panelist, policies.brief(transcript, turn))


def model_of(transcript: Transcript, name: str) -> str:
    """The model a panelist speaks through."""
    return _panelist(transcript, name).model


def _panelist(transcript: Transcript, name: str) -> Panelist:
    return next(panelist for panelist in transcript.panel if panelist.name == name)


def _least_of(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


_Price = Callable[[Usage], Cost | None]


def _within(allowance: Allowance, prompt: int, price: _Price) -> dict[Limit, int]:
    """Tokens she may say by each limit."""
    within: dict[Limit, int] = {}
    if allowance.tokens is not None:
        within["max_tokens"] = allowance.tokens - prompt
    bought = None if allowance.dollars is None else _bought(allowance.dollars, prompt, price)
    if bought is not None:
        within["max_dollars"] = bought
    return within


def _most(wanted: int | None, within: dict[Limit, int]) -> int | None:
    if not within:
        return wanted
    left = min(MOST, *within.values())
    return left if wanted is None else min(wanted, left)


def _anyhow(transcript: Transcript) -> dict[Limit, int]:
    left = budget.tokens_left(transcript)
    return {} if left is None else {"max_tokens": max(1, left)}


def _bought(dollars: float, prompt: int, price: _Price) -> int | None:
    """Tokens of answer that so much buys; None where they are free or have no price."""
    asked, said = price(Usage(input=prompt)), price(Usage(output=1_000))
    if asked is None or said is None or not said.dollars:
        return None
    return int((dollars - asked.dollars) / said.dollars * 1_000)


def _promised(prompt: int, most: int | None, price: _Price) -> Allowance:
    cost = price(Usage(input=prompt, output=most or 0))
    return Allowance(prompt + (most or 0), cost.dollars if cost else 0.0)
