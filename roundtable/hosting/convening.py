"""What may be asked: the body of a convene request, and every check on it and on commands before they are accepted."""

import re
import secrets
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from protocol import commands
from protocol.commands import HOST
from protocol.errors import Invalid
from protocol.events import TableOpened, Then
from protocol.messages import Limits, Panelist, Until
from protocol.transcript import Transcript
from providers.catalog import Catalog
from providers.demo import language_of
from roundtable import policies
from roundtable.log.split import OFF_RECORD
from roundtable.material.intake import MAX_FILES, Upload
from roundtable.table import budget

MAX_TOPIC = 20_000
"""Characters: some ten pages, more than a question needs and less than any model's window."""
MAX_TEXT = 20_000
"""Characters a person may say at once."""
MAX_PERSONA = 4_000
"""Characters: two pages, which every prompt of hers carries."""
MAX_NAME = 40
"""Characters: what fits beside a speech, in a label and in a list."""
MAX_DEPTH = 32
"""Levels of JSON in options: what a tool's schema may need, and far from any decoder's limit."""
MAX_TITLE = 200
"""Characters: a line in a list."""
MAX_SEATS = 12
"""As many hues as eyes can tell apart, and as many voices as a reader can follow."""
MAX_LIMIT = 1e12
"""Of anything: more is a slip of the keyboard, and sums of it are still exact."""

POLICY = policies.OURS[0]
"""The one of a table that asks for none."""

_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no letter that looks like a digit
# What stands in names would break labels, fences and lists: brackets, quotes, colons, asterisks, line breaks.
_NOT_IN_NAMES = set('<>[]{}"`*:,@\\/|')


def _bound(**keywords: object) -> msgspec.Meta:
    """For the schema only: what is out of bounds is told in our own words, below."""
    return msgspec.Meta(extra_json_schema=keywords)


_TAKEN = re.escape("".join(sorted(_NOT_IN_NAMES)))
_NAME = rf"^[^\s{_TAKEN}]([^{_TAKEN}]*[^\s{_TAKEN}])?$"
_LIMIT = _bound(exclusiveMinimum=0, exclusiveMaximum=MAX_LIMIT)


# `check_name` says more: letters that cannot be seen are more than a pattern can say.
Name = Annotated[str, _bound(minLength=1, maxLength=MAX_NAME, pattern=_NAME)]


class AskedSeat(Panelist, frozen=True, forbid_unknown_fields=True):
    """A seat as asked for: a misspelt member is an error here, while logs may hold what later versions add."""

    name: Name
    model: Annotated[str, _bound(pattern=r"^[^:]+:.+")]
    persona: Annotated[str, _bound(maxLength=MAX_PERSONA)] = ""


class AskedLimits(Limits, frozen=True, forbid_unknown_fields=True):
    """Limits as asked for, strict likewise."""

    max_turns: Annotated[int, _LIMIT] | None = None
    max_rounds: Annotated[int, _LIMIT] | None = None
    max_tokens: Annotated[int, _LIMIT] | None = None
    max_seconds: Annotated[float, _LIMIT] | None = None
    max_dollars: Annotated[float, _LIMIT] | None = None


class AskedUntil(Until, frozen=True, forbid_unknown_fields=True):
    """What ends a discussion, strict likewise."""

    convergence: Annotated[float, _bound(minimum=0, maximum=1)] | None = None


class Convene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/roundtables`. A panel left out is the default panel; an empty one is a mistake. Whether it
    comes to a `verdict`, and `until` when, is the policy's unless said. `saved` names a panel that is kept (`PUT
    /v1/panels/{name}`): what is left out here is as there."""

    topic: Annotated[str, _bound(minLength=1, maxLength=MAX_TOPIC, pattern=r"\S")]
    panel: Annotated[list[AskedSeat], _bound(minItems=1, maxItems=MAX_SEATS)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    policy: str | msgspec.UnsetType = msgspec.UNSET
    limits: AskedLimits | msgspec.UnsetType = msgspec.UNSET
    then: Then | msgspec.UnsetType = msgspec.UNSET
    seed: int | None = None
    record: bool = True
    title: Annotated[str, _bound(maxLength=MAX_TITLE)] = ""
    verdict: bool | msgspec.UnsetType = msgspec.UNSET
    until: AskedUntil | msgspec.UnsetType = msgspec.UNSET
    saved: str = ""
    material: Annotated[list[Upload], _bound(maxItems=MAX_FILES)] = []


def new_id(now: float, *, record: bool = True) -> str:
    """Sixteen characters that order by time and cannot be guessed: 45 bits of milliseconds, 35 of chance. The id of a
    table off the record says so at its end."""
    letters = _letters(now, secrets.randbits(35))
    return letters if record else letters + OFF_RECORD


def first_id(now: float) -> str:
    """The least of all that are made at this moment: those before it in order are older."""
    return _letters(now, 0)


def _letters(now: float, chance: int) -> str:
    number = int(max(now, 0) * 1000) << 35 | chance
    return "".join(_BASE32[number >> shift & 31] for shift in range(75, -1, -5))


async def opening(table: str, ask: Convene, catalog: Catalog) -> TableOpened:
    """The first event of a table as asked for. Raises `Invalid` naming the field."""
    topic, policy = ask.topic.strip(), policy_of(ask)
    _check_text(topic, "topic", MAX_TOPIC)
    if ask.panel is msgspec.UNSET:
        panel = catalog.default_panel(await catalog.survey(), language_of(topic))
    else:
        panel = [Panelist(**msgspec.structs.asdict(seat)) for seat in ask.panel]
    check_panel(panel, catalog)
    _check_company(panel, policy)
    title = " ".join(ask.title.split())
    if len(title) > MAX_TITLE:
        raise Invalid(f"A title has at most {MAX_TITLE} characters.", field="title")
    return TableOpened(
        table=table,
        topic=topic,
        panel=panel,
        policy=policy,
        limits=_limits(AskedLimits() if ask.limits is msgspec.UNSET else ask.limits),
        then="close" if ask.then is msgspec.UNSET else ask.then,
        seed=secrets.randbits(32) if ask.seed is None else ask.seed,
        record=ask.record,
        title=title,
        verdict=policies.concludes(policy) if ask.verdict is msgspec.UNSET else ask.verdict,
        until=_until(ask),
    )


def policy_of(ask: Convene) -> str:
    """The name of the policy that is asked for. Raises `Invalid` when there is none for a table."""
    name = POLICY if ask.policy is msgspec.UNSET else ask.policy
    if name == policies.REPLY:
        raise Invalid("A table that speaks when spoken to is a thread: POST /v1/threads.", field="policy")
    return policies.find(name).name


def _until(ask: Convene) -> Until:
    if ask.until is msgspec.UNSET:
        return policies.until(policy_of(ask))
    threshold = ask.until.convergence
    if threshold is not None and not 0 <= threshold <= 1:
        raise Invalid("A dispersion is between 0 and 1.", field="until.convergence")
    return Until(**msgspec.structs.asdict(ask.until))


def _check_company(panel: list[Panelist], policy: str) -> None:
    """Raise `Invalid` when the method cannot be held with so few, or an office is held twice."""
    for office in ("moderator", "chair"):
        if sum(panelist.role == office for panelist in panel) > 1:
            raise Invalid(f"A table has one {office}.", field="panel")
    voices, least = sum(not panelist.role for panelist in panel), policies.least(policy)
    if voices < least:
        raise Invalid(f"{policy} takes {least} panelists or more; {voices} take part here.", field="panel")


def check_command(command: commands.INBOX, transcript: Transcript) -> None:
    """Raise `Invalid` for what no table could do, whatever its state."""
    if isinstance(command, commands.Say):
        _check_text(command.text, "text", MAX_TEXT)
        if command.author:
            check_name(command.author, "author")
            if any(_same(command.author, panelist.name) for panelist in transcript.panel):
                raise Invalid(
                    f"{command.author} is a panelist; say it under a name of your own.", field="author"
                )
        if command.to and all(panelist.name != command.to for panelist in transcript.panel):
            names = ", ".join(panelist.name for panelist in transcript.panel)
            raise Invalid(
                f"Nobody named {command.to[:40]!r} sits at this table; there are {names}.", field="to"
            )


def _check_text(text: str, field: str, longest: int) -> None:
    if not any(letter.isprintable() and not letter.isspace() for letter in text):
        raise Invalid(f"The {field} is empty.", field=field)
    if len(text) > longest:
        raise Invalid(
            f"The {field} has {len(text):,} characters; at most {longest:,} are taken.", field=field
        )


def check_panel(panel: list[Panelist], catalog: Catalog) -> None:
    """Raise `Invalid` for seats that cannot be, or that nobody here can take."""
    if not panel:
        raise Invalid("The panel is empty; seat at least one panelist, or leave it out.", field="panel")
    if len(panel) > MAX_SEATS:
        raise Invalid(f"{len(panel)} seats are too many; a table has {MAX_SEATS}.", field="panel")
    names: set[str] = set()
    for index, panelist in enumerate(panel):
        where = f"panel[{index}]"
        check_name(panelist.name, f"{where}.name")
        if _plain(panelist.name) in names:
            raise Invalid(f"Two panelists are named {panelist.name!r}.", field=f"{where}.name")
        if _same(panelist.name, HOST):
            raise Invalid(f"{HOST} is what the person at the table is called.", field=f"{where}.name")
        names.add(_plain(panelist.name))
        if too_deep(panelist.options):
            raise Invalid(f"Options are nested at most {MAX_DEPTH} deep.", field=f"{where}.options")
        if len(panelist.persona) > MAX_PERSONA:
            raise Invalid(f"A persona has at most {MAX_PERSONA:,} characters.", field=f"{where}.persona")
        try:
            catalog.check(panelist)
        except Invalid as error:
            inner = error.field or "model"
            raise Invalid(error.detail, field=f"{where}.{inner}", code=error.code) from error


def check_name(name: str, field: str) -> None:
    """Raise `Invalid` for what cannot be a name."""
    if not name.strip() or name != name.strip() or len(name) > MAX_NAME:
        raise Invalid(f"A name has 1 to {MAX_NAME} characters and no blanks around it.", field=field)
    if not name.isprintable() or _NOT_IN_NAMES & set(name):
        taken = " ".join(sorted(_NOT_IN_NAMES))
        raise Invalid(
            f"The name {name!r} cannot be: a name is in one line, without {taken} in it.", field=field
        )


def _plain(name: str) -> str:
    """The name as it is heard: one word per sound, whatever its case and however its letters are composed."""
    return unicodedata.normalize("NFKC", name).casefold()


def _same(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def too_deep(value: object, most: int = MAX_DEPTH) -> bool:
    """Whether JSON, or Structs of it, is nested deeper than `most`; without recursion, which is what it protects."""
    level = [value]
    for _ in range(most):
        level = [inner for each in level for inner in _members(each)]
        if not level:
            return False
    return True


def _members(value: object) -> Sequence[object]:
    match value:
        case dict():
            return list(value.values())
        case list() | tuple():
            return value
        case msgspec.Struct():
            return msgspec.structs.astuple(value)
        case _:
            return ()


def bounded(asked: AskedLimits) -> dict[str, Any]:
    """Limits by name. Raises `Invalid` for one that is none."""
    values = msgspec.structs.asdict(asked)
    for name, value in values.items():
        if value is not None and not 0 < value < MAX_LIMIT:
            raise Invalid(f"{name} is more than 0 and less than a million million.", field=f"limits.{name}")
    return values


def _limits(asked: AskedLimits) -> Limits:
    values = bounded(asked)
    if all(value is None for name, value in values.items() if name != "max_dollars"):
        # Nothing bounds nothing, and dollars alone do not where a model is free or its price unknown.
        values["max_rounds"] = budget.DEFAULT.max_rounds
    return Limits(**values)
