"""What is done to frames on their way: filter, coalesce, enrich. Pure functions of items; nothing here waits.

An item that is not shown stays in its place: it moves its reader on, and what follows it may need what it says.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from protocol import codec
from protocol.cursor import Cursor
from protocol.system import EventPosted
from roundtable.fanout.ledger import Ledger

Extra = Literal["names", "elapsed", "cost"]
"""What a frame may be enriched with: `model` (or an invocation's `address`), `elapsed` in seconds since the opening,
`spent` so far."""

# Frames that are words of somebody, which go together when they follow each other.
WORDS = frozenset({b"turn.delta", b"turn.thinking", b"message.delta"})
# What an application posted, under a type of its own.
POSTED = b"event.posted"
# Of words that went together: what tells when they began is the first one's, everything else the last one's.
_BEGINNING = ("at", "elapsed")
# What may differ between words that go together.
_VARYING = frozenset({"at", "text", "chunks", "elapsed", "spent"})

Admits = Callable[[bytes, bytes], bool]
"""Whether a frame, `(event, data)`, is shown."""


class Item(NamedTuple):
    """One frame at its place. `merged`: it is not shown because its words are in the next one that is."""

    cursor: Cursor
    event: bytes
    data: bytes
    shown: bool = True
    merged: bool = False


class Stages(NamedTuple):
    """In this order: `admits` says what is shown, words that follow each other within `hold` seconds go together, and
    `extras` are added, for which the view is bound to its stream's `ledger`."""

    admits: Admits | None = None
    hold: float = 0.0
    extras: tuple[Extra, ...] = ()
    ledger: Ledger | None = None


class _Who(msgspec.Struct):
    # A tool's members may be called like ours and be anything.
    panelist: Any = ""
    author: Any = ""


class _Facts(_Who):
    at: float = 0.0
    model: Any = None
    address: Any = None
    elapsed: Any = None
    spent: Any = None


class _Words(msgspec.Struct):
    text: str
    at: float
    chunks: list[tuple[int, int]] | msgspec.UnsetType = msgspec.UNSET


_who = msgspec.json.Decoder(_Who)
_facts = msgspec.json.Decoder(_Facts)
_words = msgspec.json.Decoder(_Words)
_posted = msgspec.json.Decoder(EventPosted)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def admitting(types: Sequence[str], panelists: Sequence[str]) -> Admits:
    """A filter: by type, and by who speaks; `*` stands for any letters. No patterns admit all.

    What an application posted is found by the type it was posted as, too.

    By panelist, what nobody is named in is not shown.
    """
    of_type = lru_cache(maxsize=256)(_matching(types))  # as types are few
    of_name = _matching(panelists)

    def admits(event: bytes, data: bytes) -> bool:
        if types and not (of_type(event.decode()) or (event == POSTED and of_type(_posted_as(data)))):
            return False
        return not panelists or of_name(_speaker(data))

    return admits


def filtered(items: Iterable[Item], admits: Admits) -> Iterator[Item]:
    """The items, those that are not admitted no longer shown."""
    for item in items:
        yield item if not item.shown or admits(item.event, item.data) else item._replace(shown=False)


def merged(items: Iterable[Item]) -> list[Item]:
    """The items, words of one speaker that follow each other among what is shown joined in the last one of them.

    Its `chunks` still tell each part's length and when it came.
    """
    result = list[Item]()
    group = list[int]()  # places in `result` of words that go together
    key: object = None
    for item in items:
        if item.shown:
            own = _key(item)
            if own is None or own != key:
                _join(result, group)
                group, key = [], own
            if own is not None:
                group.append(len(result))
        result.append(item)
    _join(result, group)
    return result


def enriched(items: Iterable[Item], extras: Sequence[Extra], ledger: Ledger) -> Iterator[Item]:
    """The items with what is known at their place."""
    for item in items:
        yield item._replace(data=_enrich(item, extras, ledger)) if item.shown else item


def is_word(item: Item) -> bool:
    """Whether it may go together with others."""
    return item.event in WORDS


def unreached(items: Sequence[Item]) -> set[int]:
    """Entries after which nobody can go on from these frames, as their words are in a later one; by their seq."""
    inside, found = False, set[int]()
    for item in items:
        inside = not item.shown and (inside or item.merged)
        if inside:
            found.add(item.cursor.seq)
    return found


def _speaker(data: bytes) -> str:
    try:
        return _named(_who.decode(data))
    except codec.UNREADABLE:
        return ""


def _posted_as(data: bytes) -> str:
    try:
        return _posted.decode(data).name
    except codec.UNREADABLE:
        return ""


def _named(who: _Who) -> str:
    name = who.panelist or who.author
    return name if isinstance(name, str) else ""


def _key(item: Item) -> object:
    """What words that go together have in common; None for what stands alone."""
    if item.event not in WORDS:
        return None
    try:
        _words.decode(item.data)
        members = _members.decode(item.data)
    except codec.UNREADABLE:
        return None
    return item.event, {name: bytes(raw) for name, raw in members.items() if name not in _VARYING}


def _join(items: list[Item], places: Sequence[int]) -> None:
    if len(places) < 2:
        return
    group = [items[place] for place in places]
    for place in places[:-1]:
        items[place] = items[place]._replace(shown=False, merged=True)
    items[places[-1]] = group[-1]._replace(data=_together(group))


def _together(group: Sequence[Item]) -> bytes:
    words = [_words.decode(item.data) for item in group]
    first, members = _members.decode(group[0].data), _members.decode(group[-1].data)
    members |= {name: first[name] for name in _BEGINNING if name in first}
    members["text"] = msgspec.Raw(codec.encode("".join(each.text for each in words)))
    chunks = [chunk for each in words for chunk in _chunks(each, words[0].at)]
    members["chunks"] = msgspec.Raw(codec.encode(chunks))
    return codec.encode(members)


def _chunks(words: _Words, start: float) -> list[tuple[int, int]]:
    later = round((words.at - start) * 1000)
    if words.chunks is msgspec.UNSET or sum(length for length, _ in words.chunks) != len(words.text):
        return [(len(words.text), later)]
    return [(length, later + milliseconds) for length, milliseconds in words.chunks]


def _enrich(item: Item, extras: Sequence[Extra], ledger: Ledger) -> bytes:
    """What the entry says itself under such a name stays."""
    try:
        facts = _facts.decode(item.data)
    except codec.UNREADABLE:
        return item.data
    added: dict[str, Any] = {}
    if "names" in extras:
        added["model"] = ledger.models.get(_named(facts))
        added["address"] = ledger.address or None
    if "elapsed" in extras:
        added["elapsed"] = round(ledger.elapsed(facts.at), 3)
    if "cost" in extras:
        added["spent"] = ledger.spent(item.cursor.seq)
    new = {n: value for n, value in added.items() if value is not None and getattr(facts, n) is None}
    return item.data[:-1] + b"," + codec.encode(new)[1:] if new else item.data


def _matching(patterns: Sequence[str]) -> Callable[[str], bool]:
    cut = [pattern.split("*") for pattern in patterns]
    return lambda text: any(_matches(pieces, text) for pieces in cut)


def _matches(pieces: Sequence[str], text: str) -> bool:
    """Whether the pieces of a pattern stand in the text with anything between them; in linear time, so no regex."""
    first, *rest = pieces
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    place = len(first)
    for piece in rest[:-1]:
        place = text.find(piece, place) + len(piece)
        if place < len(piece):
            return False
    return len(text) - place >= len(rest[-1]) and text.endswith(rest[-1])
