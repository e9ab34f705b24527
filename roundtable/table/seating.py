"""Makes a panelist ready to speak: her provider and those that speak for it, her prompt, her price, her deadlines, her
tools, and how much she may say."""

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from msgspec.structs import replace

from protocol.kinds import is_heard
from protocol.messages import Message, Panelist, Usage
from protocol.transcript import Transcript
from providers import prices
from providers.base import Provider, Request
from providers.catalog import Catalog
from roundtable import policies
from roundtable.deliberation.brief import Brief
from roundtable.deliberation.record import WHOLE_ROOM
from roundtable.material.showing import Open, Showing, sees
from roundtable.table import budget, fallback, window
from roundtable.table.asking import deadlines_of, text_of
from roundtable.table.budget import Allowance, Limit
from roundtable.table.counting import counter
from roundtable.table.projection import Projection, project
from roundtable.table.turn import Bill, Price, Speaker
from roundtable.table.using import NO_TOOLS, ToolServers

# Fewer tokens are no contribution: two sentences. Who could say no more does not begin.
LEAST = 50
# However much a limit leaves, no turn is allowed more tokens by it, thinking included: a vendor refuses a request that
# allows more than the model can write, which for many is this much.
MOST = 16_384


class Seated(msgspec.Struct, frozen=True):
    """Who will speak, the prompt that she will be sent, which had so much `room` and has so many tokens, what she may
    use of what the limits leave, and her `share` of that; with none she speaks in any case. Her model is shown so many
    `pictures`."""

    speaker: Speaker
    projection: Projection
    promised: Allowance
    share: Allowance | None
    room: int
    prompt: int
    pictures: int


def seat(
    transcript: Transcript,
    turn: str,
    catalog: Catalog,
    allowance: Allowance | None,
    *,
    pictures: Open,
    servers: ToolServers = NO_TOOLS,
) -> Seated | Limit:
    """The speaker of a queued turn, as the table stands now; or the limit whose `allowance` is too small for her prompt
    and `LEAST` tokens of answer.

    With none she may speak in any case, as many tokens as the limit on them. Raises `Invalid` when her model is not to
    be had, and has no fallback.
    """
    state = transcript.turn(turn)
    panelist = _panelist(transcript, state.panelist)
    provider, model = fallback.had(catalog, panelist)
    brief = policies.brief(transcript, turn)
    sees = fallback.sees(catalog, panelist)
    room = window.room(transcript, state, panelist, brief, window.window(catalog, panelist), sees=sees)
    projection = project(transcript, panelist, brief, room)
    price = partial(prices.cost, panelist.model)
    counts = counter(transcript, panelist.model)
    seen = projection.pictures() if sees else 0
    prompt = math.ceil(counts.tokens(projection.text(), seen))
    wanted = _least_of(panelist.options.get("max_tokens"), brief.most)
    leaves = partial(_leaves, transcript, allowance, prompt, wanted)
    most = leaves(price)
    if isinstance(most, str):
        return most
    request = _request(transcript, panelist, model, projection, most)
    left = allowance or Allowance(budget.tokens_left(transcript), budget.dollars_left(transcript))
    shown = partial(_shown, pictures=pictures)
    others = tuple(fallback.voices(catalog, panelist, request, leaves, shown))
    provider, request = shown(provider, request)
    speaker = Speaker(
        turn=turn, panelist=panelist.name, provider=provider, request=request, price=price,
        others=_guarded(transcript, panelist, brief), clerk=brief.clerk,
        deadlines=deadlines_of(provider), counter=counts, fallback=others,
        tools=tuple(panelist.tools) if is_heard(state.kind) else (), servers=servers,
        within=partial(_again, left, wanted=wanted, tokens=partial(counts.tokens, pictures=seen)),
    )  # fmt: skip
    promised = _promised(speaker, prompt, left)
    shown_to_her = sum(len(message.images) for message in request.messages)
    return Seated(speaker, projection, promised, allowance, room, prompt, shown_to_her)


def _guarded(transcript: Transcript, panelist: Panelist, brief: Brief) -> tuple[str, ...]:
    """Whose lines she may not write; who reports on others names them at a line's start."""
    return (
        () if brief.clerk else tuple(other.name for other in transcript.panel if other.name != panelist.name)
    )


def _again(
    left: Allowance,
    request: Request,
    price: Price,
    bill: Bill,
    *,
    wanted: int | None,
    tokens: Callable[[str], float],
) -> Request | None:
    """What a model is asked once more in a turn that has used so much of what was left for it; None where that leaves
    no answer."""
    used, cost = bill
    remain = Allowance(
        None if left.tokens is None else left.tokens - used.input - used.output,
        None if left.dollars is None else left.dollars - (cost.dollars if cost else 0.0),
    )
    within = _within(remain, math.ceil(tokens(text_of(request))), price)
    return None if _short(within, wanted) else replace(request, max_tokens=_most(wanted, within))


def _shown(provider: Provider, request: Request, pictures: Open) -> tuple[Provider, Request]:
    """A provider that sees is shown the pictures on the table; to another they are named only."""
    if not any(message.images for message in request.messages):
        return provider, request
    if sees(provider):
        return Showing(provider, pictures), request
    return provider, replace(request, messages=without_pictures(request.messages))


def without_pictures(messages: Sequence[Message]) -> tuple[Message, ...]:
    """As a model is sent them that does not see."""
    return tuple(replace(message, images=()) for message in messages)


def projected(transcript: Transcript, turn: str, room: int = 0) -> Projection:
    """The prompt of a queued turn, from the log before it starts: whoever checks a digest computes it here. `room` is
    what `turn.started` tells; older versions told none."""
    panelist = _panelist(transcript, transcript.turn(turn).panelist)
    return project(transcript, panelist, policies.brief(transcript, turn), room or WHOLE_ROOM)


def model_of(transcript: Transcript, name: str) -> str:
    """The model a panelist speaks through."""
    return _panelist(transcript, name).model


def _panelist(transcript: Transcript, name: str) -> Panelist:
    return next(panelist for panelist in transcript.panel if panelist.name == name)


def _request(
    transcript: Transcript, panelist: Panelist, model: str, projection: Projection, most: int | None
) -> Request:
    return Request(
        model=model,
        system=projection.system,
        messages=projection.messages,
        max_tokens=most,
        options=fallback.without_limit(panelist.options),
        speaker=panelist.name,
        series=_series(transcript, panelist),
        settled=projection.settled,
    )


def _series(transcript: Transcript, panelist: Panelist) -> str:
    """What her requests at this table have in common and no others; it tells a vendor nothing else."""
    return hashlib.sha256(f"{transcript.table}\n{panelist.name}".encode()).hexdigest()[:32]


def _least_of(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _leaves(
    transcript: Transcript, allowance: Allowance | None, prompt: int, wanted: int | None, price: Price
) -> Limit | int | None:
    """Tokens she may say at that price, None without a limit; or the limit that leaves too few to begin."""
    if allowance is None:
        return _most(wanted, _anyhow(transcript))
    within = _within(allowance, prompt, price)
    return _short(within, wanted) or _most(wanted, within)


def _short(within: dict[Limit, int], wanted: int | None) -> Limit | None:
    """The limit that leaves too little to begin."""
    least = min(LEAST, wanted or LEAST)
    return next((limit for limit, tokens in within.items() if tokens < least), None)


def _within(allowance: Allowance, prompt: int, price: Price) -> dict[Limit, int]:
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


def _bought(dollars: float, prompt: int, price: Price) -> int | None:
    """Tokens of answer that so much buys; None where they are free or have no price."""
    asked, said = price(Usage(input=prompt)), price(Usage(output=1_000))
    if asked is None or said is None or not said.dollars:
        return None
    return int((dollars - asked.dollars) / said.dollars * 1_000)


def _promised(speaker: Speaker, prompt: int, left: Allowance) -> Allowance:
    """What the dearest of her voices may use, as one of them will speak; with tools all that is `left` for her, since
    nobody knows how often she asks."""
    if speaker.tools and left != Allowance():
        return left
    most = [(voice.request.max_tokens or 0, voice.price) for voice in speaker.voices]
    costs = [price(Usage(input=prompt, output=output)) for output, price in most]
    tokens = prompt + max(output for output, _ in most)
    return Allowance(tokens, max(cost.dollars if cost else 0.0 for cost in costs))
