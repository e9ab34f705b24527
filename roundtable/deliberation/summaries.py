"""Summaries of older rounds: one panelist writes down what was said, and prompts then hold that and what came after.

A short discussion has none. A summary that fails leaves the older words out of prompts, which say so; another is asked
for in the next round, and of somebody else.
"""

from protocol import kinds
from protocol.findings import ANY, SummaryMade
from protocol.messages import Panelist
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import officers
from roundtable.deliberation.brief import Brief
from roundtable.deliberation.record import ROOM, WHOLE, Said, name, place, placed, record

# The share of a prompt's room that stays word for word, at most: what is answered next was said just now.
KEPT = 1 / 3
# Characters. Where a prompt has room for less a summary would take most of it.
LEAST_ROOM = 6_000
# Tokens that it may have: twice what it is asked to have, as some think first.
MOST = 1_200
# Characters of it that are kept.
LONGEST = 4_000

_TASK = """\
Sum up what was said, for those who go on with this discussion and will not read it again: who holds what, and why, by \
name; what they agree on, what is open, and what was asked and not answered. Keep the figures and examples that an \
argument rests on. Take no side and add nothing of your own. At most 400 words, without a heading."""


def due(transcript: Transcript) -> str | None:
    """Who should write one, now that a round is over; None when there is no need, or it was tried in this round."""
    room = _room(transcript.turns, transcript.round)
    if room < LEAST_ROOM or transcript.of("started"):
        return None
    if any(turn.kind == kinds.SUMMARY and turn.round == transcript.round for turn in transcript.turns):
        return None
    made = latest(transcript)
    after = placed(transcript, made.through) if made else 0
    if sum(_length(said) for said in record(transcript) if place(said) > after) <= room:
        return None
    writer = _writer(transcript)
    return writer.name if writer else None


def latest(transcript: Transcript) -> SummaryMade | None:
    """The newest summary there is; it holds those before it."""
    made = transcript.found(SummaryMade, sitting=False)
    return made[-1] if made else None


def brief(transcript: Transcript, turn: Turn) -> Brief:
    """What she is asked."""
    return Brief(task=_TASK, clerk=True, through=through(transcript, turn), most=MOST)


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """The summary, as she wrote it."""
    return [
        SummaryMade(
            turn=turn.turn,
            panelist=turn.panelist,
            round=turn.round,
            through=through(transcript, turn),
            text=turn.text.strip()[:LONGEST],
        )
    ]


def through(transcript: Transcript, turn: Turn) -> str:
    """The last turn or message of the summary that `turn` is asked for: what came after it stays word for word.

    It is the same whenever it is asked: only what was begun before the turn was queued counts.
    """
    said = [each for each in record(transcript) if place(each) < turn.seq]
    left = KEPT * _room([each for each in transcript.turns if each.seq < turn.seq], turn.round)
    for each in reversed(said):
        left -= _length(each)
        if left < 0:
            return name(each)
    return ""


def _writer(transcript: Transcript) -> Panelist | None:
    """The chair, unless her last one failed; else whoever of the others has cost least for what she said so far."""
    tried = [turn for turn in transcript.turns if turn.kind == kinds.SUMMARY]
    failed = tried[-1].panelist if tried and tried[-1].status != "completed" else ""
    able = [panelist for panelist in transcript.here() if panelist.name != failed]
    chair = officers.chair(transcript)
    if chair in able and chair.role:
        return chair
    return min(able, key=lambda panelist: _price(transcript, panelist), default=chair)


def _price(transcript: Transcript, panelist: Panelist) -> tuple[bool, float]:
    """Dollars a token by what she has said until now, after those of whom that is known."""
    paid = [
        turn for turn in transcript.turns if turn.panelist == panelist.name and turn.model == panelist.model
    ]
    tokens = sum(turn.usage.input + turn.usage.output for turn in paid if turn.usage and turn.cost)
    dollars = sum(turn.cost.dollars for turn in paid if turn.usage and turn.cost)
    return (tokens == 0, dollars / tokens if tokens else 0.0)


def _room(turns: list[Turn], round: int) -> int:
    """The least that a prompt of this round or the one before had room for, as far as there were any."""
    rooms = [
        turn.room for turn in turns if turn.round >= round - 1 and turn.started_seq and turn.kind not in WHOLE
    ]
    return min([ROOM, *(room for room in rooms if room)])


def _length(said: Said) -> int:
    return len(said.text)
