"""What may be asked of a thread: the body that begins one, and what of it becomes the table that it is."""

import secrets
from typing import Any

import msgspec

from protocol import commands
from protocol import events as e
from protocol.asked import AskedLimits, AskedSeat
from protocol.errors import Invalid
from protocol.messages import Limits, Panelist
from protocol.transcript import Transcript
from protocol.views import thread
from providers.catalog import Catalog
from roundtable.hosting import convening, steering
from roundtable.policies import REPLY

MAX_TITLE = 200
"""Characters: a line in a list."""
ASSISTANT = "Assistant"
"""What a model is called that was given no name."""


class Begin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/threads`: one `model`, told to be what `system` says, or a `panel` whose seats all answer;
    with neither, the first of the default panel. `message` is the first thing said, and by whom `author` says.
    `limits` count anew with each message that finds the thread at rest."""

    title: str = ""
    model: str = ""
    system: str = ""
    options: dict[str, Any] = {}
    panel: list[AskedSeat] | msgspec.UnsetType = msgspec.UNSET
    message: str | None = None
    author: str = ""
    limits: AskedLimits = AskedLimits()
    record: bool = True


class ThreadLine(msgspec.Struct, frozen=True):
    """A thread in a line. `messages` counts all, people's and answers; times are Unix seconds."""

    id: str
    title: str
    status: str
    opened_at: float
    at: float
    messages: int
    record: bool
    cursor: str


async def opening(id: str, ask: Begin, catalog: Catalog) -> tuple[e.TableOpened, list[e.Event]]:
    """The first events of a thread as asked for. Raises `Invalid` naming the field."""
    title = " ".join(ask.title.split())
    if len(title) > MAX_TITLE:
        raise Invalid(f"A title has at most {MAX_TITLE} characters.", field="title")
    opened = e.TableOpened(
        table=id,
        topic=title,
        panel=await _panel(ask, catalog),
        policy=REPLY,
        limits=_limits(ask.limits),
        then="rest",
        seed=secrets.randbits(32),
        record=ask.record,
    )
    if ask.message is None:
        return opened, []
    author = ask.author or commands.HOST
    _check_said(ask, opened)
    return opened, [e.MessagePosted(message="m1", author=author, text=ask.message)]


def line(transcript: Transcript) -> ThreadLine:
    """The line of a thread by its transcript."""
    return ThreadLine(
        id=transcript.table,
        title=thread.title(transcript),
        status=transcript.status,
        opened_at=transcript.opened_at,
        at=transcript.at,
        messages=len(transcript.messages) + len(transcript.turns),
        record=transcript.record,
        cursor=transcript.cursor,
    )


async def _panel(ask: Begin, catalog: Catalog) -> list[Panelist]:
    if ask.panel is msgspec.UNSET:
        return [await _seat(ask, catalog)]
    for name in ("model", "system", "options"):
        if getattr(ask, name):
            raise Invalid(f"With a panel, {name} is said of each seat of it.", field=name)
    panel = [Panelist(**msgspec.structs.asdict(seat)) for seat in ask.panel]
    convening.check_panel(panel, catalog)
    return panel


async def _seat(ask: Begin, catalog: Catalog) -> Panelist:
    """The one seat; what is wrong with it is named as it was asked for."""
    if ask.model:
        seat = Panelist(ASSISTANT, ask.model, ask.system, ask.options)
    else:
        first = catalog.default_panel(await catalog.survey())[0]
        seat = Panelist(ASSISTANT, first.model, ask.system, {**first.options, **ask.options})
    try:
        convening.check_panel([seat], catalog)
    except Invalid as error:
        field = error.field.removeprefix("panel[0].")
        named = "system" if field == "persona" else field
        raise Invalid(error.detail, field=named, code=error.code) from error
    return seat


def _limits(asked: AskedLimits) -> Limits:
    """None by default: each message is answered once, which is a limit."""
    return Limits(**convening.bounded(asked))


def _check_said(ask: Begin, opened: e.TableOpened) -> None:
    """What was said first is checked like everything said later."""
    say = commands.Say(text=ask.message or "", author=ask.author)
    try:
        steering.check_said(say, Transcript(panel=opened.panel))
    except Invalid as error:
        raise Invalid(error.detail, field="message" if error.field == "text" else error.field) from error
