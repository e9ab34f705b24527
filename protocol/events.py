"""What can happen at a table. An Entry is one event at its place in the log.

Events are facts in the past tense, never requests. A new field has a default; a meaning never changes.
An event this version does not know is `Unknown`: carried along with its bytes, refused nowhere.
"""

from typing import Literal

import msgspec

from protocol import event, findings
from protocol.commands import INBOX
from protocol.cursor import Cursor
from protocol.messages import Cost, Failure, Limits, Origin, Panelist, StopReason, Until, Usage

Then = Literal["close", "rest"]
Event = event.Event


class Effect(Event, frozen=True, kw_only=True):
    """An event that a command may have caused: it then carries the command's key and its place in the inbox."""

    command: str | msgspec.UnsetType = msgspec.UNSET
    inbox: int | msgspec.UnsetType = msgspec.UNSET


class TermBegan(Event, frozen=True, tag="term.began"):
    """A new owner took the stream; every entry from here on carries its term."""

    owner: str
    lost: int = 0  # acknowledged entries that the store no longer has; 0 in all ordinary takeovers


class TableOpened(Event, frozen=True, tag="table.opened"):
    """The table exists: who sits at it, about what, and until when. `record` false: it is on no disk; `verdict`: it
    comes to one before it ends; `origin`: of what table it is a fork."""

    table: str
    topic: str
    panel: list[Panelist]
    policy: str
    limits: Limits
    then: Then = "close"
    seed: int = 0
    record: bool = True
    title: str = ""
    verdict: bool = False
    until: Until = Until()
    origin: Origin | None = None


class TablePaused(Effect, frozen=True, tag="table.paused"):
    """No new turn begins until resumed; the turn under way is finished."""

    reason: str = "command"


class TableResumed(Effect, frozen=True, tag="table.resumed"):
    """Turns begin again. From rest, the limits on turns, rounds, tokens, seconds and dollars count anew; `reason` is
    then what woke it: `message`, `retry`, `command`, or `verdict`, which is still about what was said before."""

    reason: str = "command"


class TableConcluding(Effect, frozen=True, tag="table.concluding"):
    """The discussion is over, for that reason; what follows is the verdict."""

    reason: str
    detail: str = ""


class StressRequested(Effect, frozen=True, tag="stress.requested"):
    """The answers of the discussion that has come to rest are judged again; it is the same sitting, whose limits count
    anew, and then the table rests as before."""


class TableTitled(Effect, frozen=True, tag="table.titled"):
    """The table has another name than its topic; empty: no longer."""

    title: str


class LimitsChanged(Effect, frozen=True, tag="limits.changed"):
    """These limits hold from here on."""

    limits: Limits


Change = Literal["added", "removed", "swapped", "muted", "unmuted"]


class PanelChanged(Effect, frozen=True, tag="panel.changed"):
    """Who sits at the table, or may speak, has changed. `seat` is the new one where there is one: in the place of
    `panelist` when it has her name, else beside her, who has then left."""

    change: Change
    panelist: str
    seat: Panelist | None = None


class HandRaised(Effect, frozen=True, tag="hand.raised"):
    """A person asks for the floor; who speaks may end, then the table waits, at most `within` seconds, for one person
    after the other."""

    author: str
    within: float = 0.0


class HandLowered(Effect, frozen=True, tag="hand.lowered"):
    """The table waits for that person no more: `said`, `command`, `timeout`, or `ended` as the discussion is
    over, or the table."""

    author: str
    reason: str = "command"


class TableRested(Event, frozen=True, tag="table.rested"):
    """The policy has nothing more to say; a message wakes the table."""

    reason: str


class TableClosed(Effect, frozen=True, tag="table.closed"):
    """Final. `reason`: `command`, a limit's name, `no_panelists`."""

    reason: str
    detail: str = ""


class RoundStarted(Event, frozen=True, tag="round.started"):
    """Round `round` begins; the first is 1."""

    round: int


class TurnEvent(Event, frozen=True, kw_only=True):
    """Every word names its panelist and its turn."""

    turn: str
    panelist: str


class TurnQueued(TurnEvent, frozen=True, tag="turn.queued"):
    """Someone will have the floor. `reason` is said on the stage when it is not simply her place in the round,
    `question` put to her; `command` and `inbox` are those of who asked for it."""

    kind: str = "speech"
    round: int = 0
    reason: str = ""
    question: str = ""
    command: str | msgspec.UnsetType = msgspec.UNSET
    inbox: int | msgspec.UnsetType = msgspec.UNSET


class TurnStarted(TurnEvent, frozen=True, tag="turn.started"):
    """Someone has the floor: the model was asked. `digest` is of the request as projected from the log.

    `room` is how much of what was said it could hold, `length` how long it was, both in characters, `pictures` how many
    her model was shown, and `most` how many tokens she was allowed to say, 0 without a limit; 0 also where an older
    version did not tell. `first_within`, `idle_within` and `total_within` are the deadlines in seconds; 0 is none.
    """

    attempt: int = 1
    model: str = ""
    digest: str = ""
    room: int = 0
    length: int = 0
    pictures: int = 0
    most: int = 0
    first_within: float = 0.0
    idle_within: float = 0.0
    total_within: float = 0.0


class TurnRetried(TurnEvent, frozen=True, tag="turn.retried"):
    """Asking failed before a first word; attempt `attempt` follows after `wait` seconds; another
    `model` is asked then, if one is named."""

    attempt: int
    error: Failure
    wait: float = 0.0
    model: str = ""


class TurnYielding(TurnEvent, frozen=True, tag="turn.yielding"):
    """She is asked to stop: at her next sentence's end, or after `within` seconds or `tokens` more."""

    within: float
    tokens: int
    command: str | msgspec.UnsetType = msgspec.UNSET
    inbox: int | msgspec.UnsetType = msgspec.UNSET


class TurnDelta(TurnEvent, frozen=True, tag="turn.delta"):
    """Words, in order. `chunks` holds `[length in code points, milliseconds after the first]` of each part when
    several deltas were written as one, so a replay can be as uneven as the original was."""

    attempt: int
    text: str
    chunks: list[tuple[int, int]] | msgspec.UnsetType = msgspec.UNSET


class TurnThinking(TurnEvent, frozen=True, tag="turn.thinking"):
    """The model's reasoning, as far as its provider shows it. Never sent to another panelist."""

    attempt: int
    text: str
    chunks: list[tuple[int, int]] | msgspec.UnsetType = msgspec.UNSET


class TurnTool(TurnEvent, frozen=True, tag="turn.tool"):
    """Part of a tool call as the model writes it: `arguments` is a fragment of JSON text."""

    attempt: int
    call: str
    name: str = ""
    arguments: str = ""


class TurnToolResult(TurnEvent, frozen=True, tag="turn.tool_result"):
    """What tool `name` gave for call `call`, after `seconds`; `truncated` when it was more than is taken."""

    attempt: int
    call: str
    name: str
    text: str
    error: bool = False
    truncated: bool = False
    seconds: float = 0.0


class TurnCompleted(TurnEvent, frozen=True, tag="turn.completed"):
    """The turn's end, with everything it said. `cost` absent means the price is unknown."""

    attempt: int = 1
    text: str = ""
    stop_reason: StopReason = "end"
    usage: Usage = Usage()
    cost: Cost | None = None


class TurnFailed(TurnEvent, frozen=True, kw_only=True, tag="turn.failed"):
    """The turn's end by an error. `text` had been said; it stays on record and out of later prompts."""

    attempt: int = 1
    text: str = ""
    error: Failure
    usage: Usage = Usage()
    cost: Cost | None = None


class TurnCancelled(TurnEvent, frozen=True, tag="turn.cancelled"):
    """The turn's end by a person's or the table's decision. A queued turn may be cancelled too. `reason`: `command`
    (this one was named), `barge_in`, `skipped`, `muted`, `removed`, `swapped`, `absent`, `concluding`, `closing`, or a
    limit's name. What was said until a `barge_in` is part of the conversation."""

    attempt: int = 1
    text: str = ""
    reason: str = "command"
    usage: Usage = Usage()
    cost: Cost | None = None
    command: str | msgspec.UnsetType = msgspec.UNSET
    inbox: int | msgspec.UnsetType = msgspec.UNSET


class MessagePosted(Effect, frozen=True, tag="message.posted"):
    """A person said something, to all or (`to`) to one panelist."""

    message: str
    author: str
    text: str
    to: str = ""


class MaterialAdded(Effect, frozen=True, tag="material.added"):
    """Something to read or to look at lies on the table. `text` is what is in it, `cut` if that was more than is taken,
    of `pages` where it has some. `size` is in bytes; they themselves are kept beside the log, by their `sha256`."""

    material: str
    name: str
    media_type: str
    form: Literal["text", "image"]
    size: int
    sha256: str
    text: str = ""
    pages: int = 0
    cut: bool = False
    author: str = ""


class CommandRefused(Effect, frozen=True, tag="command.refused"):
    """A command was understood and not done; `code` and `detail` say why."""

    code: str
    detail: str


class CommandSubmitted(Event, frozen=True, tag="command.submitted"):
    """What a table's inbox stream holds: a command with its idempotency key."""

    key: str
    command: INBOX


class Unknown(Event, frozen=True):
    """An event of a later version or a plug-in. `body` is its JSON exactly as it stands in the log."""

    type: str
    body: bytes


Asked = Effect | TurnQueued | TurnYielding | TurnCancelled
"""Events that carry the command they are the effect of, if there was one."""

KNOWN = (
    TermBegan | TableOpened | TablePaused | TableResumed | TableConcluding | TableTitled | TableRested | TableClosed
    | PanelChanged | LimitsChanged | HandRaised | HandLowered | RoundStarted | StressRequested
    | TurnQueued | TurnStarted | TurnRetried | TurnYielding | TurnDelta | TurnThinking | TurnTool | TurnToolResult
    | TurnCompleted | TurnFailed | TurnCancelled | MessagePosted | MaterialAdded
    | CommandRefused | CommandSubmitted | findings.ANY
)  # fmt: skip
"""The tagged union that the codec decodes."""


class Entry(msgspec.Struct, frozen=True):
    """One event at its place. `at` is Unix seconds, and never runs backwards within a stream."""

    cursor: Cursor
    at: float
    event: Event
