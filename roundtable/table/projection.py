"""What one model is sent: the one transcript, as one panelist must see it.

Her own turns are `assistant`; everybody else's are attributed, fenced and inside `user`, as data, and so is a verdict,
whoever wrote it. Only completed turns are projected, and never anyone's reasoning. The result begins and ends with
`user`, roles alternate, no message is empty. A thread of one person with one model is sent as the plain conversation
that it is. It is a pure function of the transcript and of `room`, which the log tells too, so a lens can compute it
again and compare the digest.
"""

import hashlib
from typing import NamedTuple

from msgspec.structs import replace

from protocol.codec import encode
from protocol.findings import SummaryMade
from protocol.kinds import VERDICT
from protocol.messages import Message, Panelist, Role
from protocol.transcript import Posted, Transcript, Turn
from roundtable.deliberation import summaries
from roundtable.deliberation.brief import Brief, renamed
from roundtable.deliberation.fences import fenced
from roundtable.deliberation.record import ROOM, Said, name, place, placed, record
from roundtable.policies import REPLY
from roundtable.table import exhibits, manners

NOTHING = Brief()
# Material may have so many times the room of what was said, up to its own bound.
MATERIAL = 2
# Between what one message holds of several.
_GAP = "\n\n"
# Where a contribution is longer than this share of the room its end is left out: two can always be heard.
_LARGEST = 1 / 2
_CUT = " […]"

_Part = tuple[Role, str]


class Projection(NamedTuple):
    """A prompt: `system`, and messages as `providers.base.Request` wants them. The last message's first `settled`
    characters will begin her next prompt's message at the same place, as all before them will."""

    system: str
    messages: tuple[Message, ...]
    settled: int = 0

    def digest(self) -> str:
        """SHA-256 over the prompt's JSON, in hex, the first 32 digits."""
        return hashlib.sha256(encode([self.system, self.messages])).hexdigest()[:32]

    def characters(self) -> int:
        """The length of the prompt."""
        return len(self.system) + sum(len(message.text) for message in self.messages)

    def pictures(self) -> int:
        """How many are beside the text, for a model that sees."""
        return sum(len(message.images) for message in self.messages)

    def text(self) -> str:
        """All of it in one."""
        return "".join([self.system, *(message.text for message in self.messages)])


def project(
    transcript: Transcript, panelist: Panelist, brief: Brief = NOTHING, room: int = ROOM
) -> Projection:
    """The prompt that gives `panelist` the floor now, for what `brief` asks of her, with at most `room` characters of
    what was said."""
    if transcript.policy == REPLY:
        return _thread(transcript, panelist, room)
    parts: list[_Part] = [("user", fenced("topic", transcript.topic))]
    parts += [("user", _material(*each)) for each in exhibits.texts(transcript, MATERIAL * room)]
    parts += _remembered(transcript, panelist, brief, room)
    task = brief.task or manners.floor(transcript, panelist)
    prompt = _prompt(manners.discussion(transcript, panelist, brief), parts, task)
    if shown := exhibits.images(transcript):
        first, *rest = prompt.messages
        prompt = prompt._replace(messages=(replace(first, images=shown), *rest))
    return prompt._replace(settled=0) if brief.clerk else prompt  # nobody is asked the same as a clerk again


def _thread(transcript: Transcript, panelist: Panelist, room: int) -> Projection:
    """A thread as `panelist` must see it; alone with one person she has nothing to tell apart."""
    alone = len(transcript.panel) == 1 and len({message.author for message in transcript.messages}) <= 1
    parts = [_part(said, panelist, NOTHING, room, fence=not alone) for said in record(transcript)]
    kept = _recent(parts, room)
    if omitted := len(parts) - len(kept):
        kept.insert(0, ("user", manners.left_out(omitted, "messages")))
    task = "" if kept and kept[-1][0] == "user" else manners.floor(transcript, panelist)
    return _prompt(manners.alone(panelist) if alone else manners.company(transcript, panelist), kept, task)


def _remembered(transcript: Transcript, panelist: Panelist, brief: Brief, room: int) -> list[_Part]:
    """All that was said, if there is room for it and it is not to be summed up; else the newest summary and what came
    after; and if that is still too much, without its oldest part."""
    last = None if brief.through is None else placed(transcript, brief.through)
    said = _in_order([each for each in record(transcript) if _is_heard(each, brief, last)], brief.order)
    parts = [_part(each, panelist, brief, room) for each in said]
    before: list[_Part] = []
    if (brief.through is not None or _length(parts) > room) and (made := _summary(transcript, brief)):
        before = [("user", f"{manners.SUMMED_UP}\n{_summed_up(made, brief)}")]
        room = max(0, room - _length(before))
        after = placed(transcript, made.through)
        parts = [part for each, part in zip(said, parts, strict=True) if place(each) > after]
    kept = _recent(parts, room)
    if omitted := len(parts) - len(kept):
        before.append(("user", manners.left_out(omitted)))
    return before + kept


def _is_heard(said: Said, brief: Brief, last: int | None) -> bool:
    if last is not None and place(said) > last:
        return False
    return name(said) not in brief.unheard


def _in_order(said: list[Said], order: tuple[str, ...]) -> list[Said]:
    """Each at its place; those in `order` take each other's."""
    ranks = {turn: rank for rank, turn in enumerate(order)}
    moved = iter(sorted((each for each in said if name(each) in ranks), key=lambda each: ranks[name(each)]))
    return [next(moved) if name(each) in ranks else each for each in said]


def _summary(transcript: Transcript, brief: Brief) -> SummaryMade | None:
    """The newest one, unless it tells what she is not to hear."""
    made = summaries.latest(transcript)
    if made is None:
        return None
    to = placed(transcript, made.through)
    return None if any(0 < placed(transcript, id) <= to for id in brief.unheard) else made


def _summed_up(made: SummaryMade, brief: Brief) -> str:
    return fenced("summary", renamed(made.text, brief.aliases), by=_alias(made.panelist, brief))


def _part(said: Said, panelist: Panelist, brief: Brief, room: int, *, fence: bool = True) -> _Part:
    if _is_own(said, panelist, brief):
        return "assistant", _cut(said.text, room)
    text = _cut(said.text, room)
    if isinstance(said, Posted):
        to = _alias(said.to, brief)
        text = renamed(text, brief.aliases)
        return "user", fenced("said", text, by=said.author, role="person", to=to) if fence else text
    told = {
        "by": _alias(said.panelist, brief),
        "asked": renamed(said.question, brief.aliases),
        "cut": "true" if said.status == "cancelled" else "",
        "as": VERDICT if said.kind == VERDICT else "",
    }
    return "user", fenced("said", renamed(text, brief.aliases), **told)


def _is_own(said: Said, panelist: Panelist, brief: Brief) -> bool:
    """Whether she said it as herself. A verdict she wrote for all: as her own words she would go on in its form."""
    if not isinstance(said, Turn) or brief.clerk or brief.aliases:
        return False
    return said.panelist == panelist.name and said.kind != VERDICT


def _material(name: str, media_type: str, text: str) -> str:
    return fenced("material", f"\n{text}\n", name=name, type=media_type)


def _cut(text: str, room: int) -> str:
    longest = max(1, int(room * _LARGEST))
    return text if len(text) <= longest else text[:longest] + _CUT


def _alias(name: str, brief: Brief) -> str:
    return brief.aliases.get(name, name)


def _recent(parts: list[_Part], room: int) -> list[_Part]:
    """The newest ones that there is room for.

    When it is full the older half goes at once, so that for as long as it takes to fill up again each prompt begins as
    the one before: vendors charge a tenth for a beginning they know.
    """
    first, used = 0, 0
    for newest, (_, text) in enumerate(parts):
        used += len(text)
        if used > room:
            while first < newest and used > room / 2:
                used -= len(parts[first][1])
                first += 1
    return parts[first:]


def _length(parts: list[_Part]) -> int:
    return sum(len(text) for _, text in parts)


def _prompt(system: str, parts: list[_Part], task: str) -> Projection:
    messages = _merged([*parts, ("user", task)] if task else parts)
    settled = len(messages[-1].text) - len(task) - len(_GAP)
    return Projection(system, messages, max(0, settled) if task else len(messages[-1].text))


def _merged(parts: list[_Part]) -> tuple[Message, ...]:
    messages: list[Message] = []
    for role, text in parts:
        if messages and messages[-1].role == role:
            messages[-1] = Message(role, f"{messages[-1].text}{_GAP}{text}")
        else:
            messages.append(Message(role, text))
    return tuple(messages)
