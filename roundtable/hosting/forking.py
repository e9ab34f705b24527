"""What may be asked of a fork: another future of a table, from any of its entries on, with changes."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from protocol import events as e
from protocol.asked import MAX_TITLE, AskedLimits, AskedSeat
from protocol.commands import HOST, Say
from protocol.cursor import Cursor
from protocol.errors import Invalid
from protocol.messages import Origin, Panelist
from protocol.transcript import Transcript, fold
from providers.catalog import Catalog
from roundtable.hosting import convening, steering
from roundtable.hosting.convening import AskedUntil, Convene
from roundtable.hosting.past import Happened, going_on, past, reseated


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says first at the fork, to all or one panelist."""

    text: str
    to: str = ""
    author: str = ""


class Fork(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /v1/roundtables/{id}/forks`: what is left out is as it was at the table.

    `after` is the last entry that both have in common; the newest, if it is left out. `panel` is the whole new panel,
    in its order: a known name with another model goes on as that model. A fork of a table that rested, was closed or
    concluding, or under another policy or topic, begins a sitting of its own: its limits count anew, and its method
    begins again with all that was said. Otherwise it goes on where the table was.
    """

    after: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    panel: list[AskedSeat] | UnsetType = UNSET
    policy: str | UnsetType = UNSET
    limits: AskedLimits | UnsetType = UNSET
    then: e.Then | UnsetType = UNSET
    verdict: bool | UnsetType = UNSET
    until: AskedUntil | UnsetType = UNSET
    title: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_TITLE})] | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    message: Message | UnsetType = UNSET


class Forked(NamedTuple):
    """A table to be opened, and all that happened before anyone speaks at it."""

    opening: e.TableOpened
    happened: list[Happened]


def place(asked: str | UnsetType, head: Cursor) -> Cursor:
    """The entry after which the fork begins; of one shown in part, the whole. Raises `Invalid`."""
    if asked is UNSET:
        return head
    after = Cursor.parse(asked)
    return Cursor(after.term, after.seq)


async def forked(id: str, entries: Sequence[e.Entry], ask: Fork, catalog: Catalog, now: float) -> Forked:
    """The fork `id` of the table that these are the first entries of. Raises `Invalid` naming the field."""
    was = fold(entries)
    first = next((entry for entry in entries if isinstance(entry.event, e.TableOpened)), None)
    if first is None or not isinstance(first.event, e.TableOpened):
        raise Invalid("The table was not open yet at that cursor; fork it later.", field="after")
    wanted = await convening.opening(id, _convene(was, ask), catalog)
    opening = msgspec.structs.replace(
        wanted,
        panel=_in_order(first.event.panel, wanted.panel),
        origin=Origin(was.table, was.cursor),
        title=was.title if ask.title is UNSET else wanted.title,
    )
    told = list(past(entries))
    table = _folded(opening, first.at, told)
    happened = [*told, *going_on(table, anew=_is_anew(was, opening), now=now)]
    happened += reseated(table, wanted.panel, now)
    if table.limits != wanted.limits:
        happened.append(Happened(now, e.LimitsChanged(limits=wanted.limits)))
    if table.title != opening.title:
        happened.append(Happened(now, e.TableTitled(title=opening.title)))
    if ask.message is not UNSET:
        happened.append(Happened(now, _said(ask.message, was, wanted.panel)))
    return Forked(opening, [Happened(first.at, opening), *happened])


def _convene(was: Transcript, ask: Fork) -> Convene:
    """What would convene such a table anew, so that every check on that is made here."""
    seats = [
        msgspec.convert(seat, AskedSeat, from_attributes=True)
        for seat in was.panel
        if seat.name not in was.removed
    ]
    limits = msgspec.convert(was.limits, AskedLimits, from_attributes=True)
    until = msgspec.convert(was.until, AskedUntil, from_attributes=True)
    return Convene(
        topic=was.topic if ask.topic is UNSET else ask.topic,
        panel=seats if ask.panel is UNSET else ask.panel,
        policy=was.policy if ask.policy is UNSET else ask.policy,
        limits=limits if ask.limits is UNSET else ask.limits,
        then=was.then if ask.then is UNSET else ask.then,
        seed=was.seed if ask.seed is UNSET else ask.seed,
        record=was.record,
        title="" if ask.title is UNSET else ask.title,
        verdict=was.verdict if ask.verdict is UNSET else ask.verdict,
        until=until if ask.until is UNSET else ask.until,
    )


def _in_order(then: list[Panelist], now: list[Panelist]) -> list[Panelist]:
    """Who sat there at the opening, in the new order as far as they still do: what they said stays theirs."""
    places = {seat.name: place for place, seat in enumerate(now)}
    return sorted(then, key=lambda seat: places.get(seat.name, len(places)))


def _folded(opening: e.TableOpened, at: float, told: list[Happened]) -> Transcript:
    events = [Happened(at, e.TermBegan(owner="")), Happened(at, opening), *told]
    return fold(e.Entry(Cursor(1, seq), each.at, each.event) for seq, each in enumerate(events, 1))


def _is_anew(was: Transcript, opening: e.TableOpened) -> bool:
    ended = was.status in ("resting", "closed") or bool(was.concluding)
    return ended or opening.policy != was.policy or opening.topic != was.topic


def _said(message: Message, was: Transcript, panel: list[Panelist]) -> e.MessagePosted:
    say = Say(message.text, message.to, message.author)
    try:
        steering.check_said(say, Transcript(panel=panel))
    except Invalid as error:
        raise Invalid(error.detail, field=f"message.{error.field}", code=error.code) from error
    return e.MessagePosted(
        message=f"m{len(was.messages) + 1}", author=say.author or HOST, text=say.text, to=say.to
    )
