"""What comes next is likely to use: a round, a verdict. From the lengths of prompts, what each said before, and prices.

A forecast is arithmetic, not a promise: the hard stop is `meter`'s.
"""

from typing import NamedTuple

from protocol import kinds
from protocol.findings import RoundForecast
from protocol.messages import Cost, Panelist, Usage
from protocol.transcript import Transcript
from providers import prices
from roundtable import policies
from roundtable.deliberation.record import ROOM, WHOLE_ROOM, record
from roundtable.table import exhibits
from roundtable.table.counting import PICTURE, counter

# Characters of a prompt beside what was said, the topic and her persona: our manners and the fences of a round.
_MANNERS = 1_500
# Tokens of an answer while nobody has said anything: 150 words. The verdict has twice as many.
_ANSWER, _VERDICT = 250, 500
# Answers of hers that are looked back on.
_LATEST = 3


class Expected(NamedTuple):
    """Tokens read and written, and US dollars, None where a price is unknown."""

    tokens_in: int
    tokens_out: int
    dollars: float | None

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.tokens_in + self.tokens_out


def of_round(transcript: Transcript, round: int) -> RoundForecast:
    """Everybody who is present speaks once; where they hear each other each prompt is longer by what was just said."""
    policy = policies.available().get(transcript.policy)
    heard, found = 0, list[Expected]()
    for panelist in transcript.present():
        said = _usual(transcript, panelist)
        found.append(_turn(transcript, panelist, _said(transcript) + heard, said, ROOM))
        if not (policy and policy.blind):
            heard += int(said * _rate(transcript, panelist))
    known = [each.dollars for each in found if each.dollars is not None]
    return RoundForecast(
        round=round,
        tokens_in=sum(each.tokens_in for each in found),
        tokens_out=sum(each.tokens_out for each in found),
        dollars=sum(known) if len(known) == len(found) else None,
    )


def of_verdict(transcript: Transcript, panelist: Panelist) -> Expected:
    """If `panelist` writes it."""
    said = max(_VERDICT, 2 * _usual(transcript, panelist))
    return _turn(transcript, panelist, _said(transcript), said, WHOLE_ROOM)


def _turn(transcript: Transcript, panelist: Panelist, told: int, said: int, room: int) -> Expected:
    length = min(told, room) + len(transcript.topic) + len(panelist.persona) + _MANNERS
    asked = int(length / _rate(transcript, panelist)) + PICTURE * _pictures(transcript, panelist)
    cached = int(asked * _cached(transcript, panelist))
    cost: Cost | None = prices.cost(panelist.model, Usage(input=asked, output=said, cached=cached))
    return Expected(asked, said, None if cost is None else cost.dollars)


def _said(transcript: Transcript) -> int:
    return sum(len(each.text) for each in record(transcript))


def _rate(transcript: Transcript, panelist: Panelist) -> float:
    sample = transcript.topic or "."
    return len(sample) / counter(transcript, panelist.model).tokens(sample)


def _pictures(transcript: Transcript, panelist: Panelist) -> int:
    """As many as her model was shown last; until then all, as it may be one that sees."""
    asked = [turn for turn in transcript.turns if turn.panelist == panelist.name and turn.started_seq]
    return asked[-1].pictures if asked else len(exhibits.images(transcript))


def _usual(transcript: Transcript, panelist: Panelist) -> int:
    """Tokens that she says in a turn: as lately, or as the others do, or as is usual."""
    spoke = [
        turn for turn in transcript.of("completed") if kinds.is_heard(turn.kind) and turn.usage is not None
    ]
    mine = [turn for turn in spoke if turn.panelist == panelist.name][-_LATEST:] or spoke
    outputs = [turn.usage.output for turn in mine if turn.usage]
    return sum(outputs) // len(outputs) if outputs else _ANSWER


def _cached(transcript: Transcript, panelist: Panelist) -> float:
    """The share of her last prompt that her vendor knew already."""
    used = [turn.usage for turn in transcript.turns if turn.panelist == panelist.name and turn.usage]
    return used[-1].cached / used[-1].input if used and used[-1].input else 0.0
