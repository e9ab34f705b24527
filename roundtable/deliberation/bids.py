"""Bids (`bid`): how much each panelist wants the floor, and whose bid wins it.

The greatest *claim* wins: her urgency, 0 to 10; two points for each speech since she last had the floor; and for her
part in all that was spoken, 5 x (an equal part - hers). Ties go by tokens, then by seat. Bids and parts together differ
by 15 at most, and a wait of eight speeches is worth 16: so whoever spoke since somebody waits for eight does not come
before her again, and of n who are present nobody waits for more than n + 6 speeches, whatever is bid
(`tests/test_raise_hand.py`).
"""

import re
from typing import NamedTuple

import msgspec

from protocol.findings import ANY, BidMade
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import ledger
from roundtable.deliberation.answers import Unread, one_line, parse, plain
from roundtable.deliberation.brief import Brief
from roundtable.deliberation.passes import is_pass

HIGHEST = 10
WAITING = 2.0
"""Points for each speech that she waited."""
BALANCE = 5.0
"""Points between having spoken all there was and nothing."""
# Characters of what a bid is for: it is shown beside a name.
ABOUT = 120
# Tokens of an answer. With that it is under 50; the rest is for a model that thinks first, whose thoughts count as
# well, and is paid for only where it is used.
MOST = 512

_TASK = """\
Do not speak yet. How much do you want the floor next? 0: I have nothing to add. 5: I have a point of my own. 10: what \
was just said is wrong or harmful, and only I can answer it.
Answer with one JSON object and nothing else: {"urgency": <0 to 10>, "about": "<what you would say, in a few words>"}"""

BRIEF = Brief(task=_TASK, most=MOST)
"""She is asked as herself, not as a clerk: who she is decides what she wants to say; and the prompt begins as the one
for her speech does, so that a vendor's cache serves both."""


_ALONE = re.compile(r"\d{1,2}(?:/10)?\.?")


class _Bid(msgspec.Struct):
    urgency: float | str
    about: object = None


class Claim(NamedTuple):
    """What speaks for giving her the floor; the greatest wins. `heard` is her tokens, less than nothing, and `seat`
    likewise."""

    points: float
    heard: int
    seat: int


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """The bid, cut to what can be bid; a number and no more is one. Raises `Unread`."""
    text = turn.text.strip()
    bid = _Bid(0) if is_pass(text) else _Bid(text) if _ALONE.fullmatch(text) else parse(text, _Bid)
    return [
        BidMade(
            turn=turn.turn,
            panelist=turn.panelist,
            round=turn.round,
            urgency=_urgency(bid.urgency),
            about=one_line(plain(bid.about), ABOUT),
        )
    ]


def claims(transcript: Transcript, urgency: dict[str, int]) -> dict[str, Claim]:
    """The claims of all who may speak next; who made no bid bids 0."""
    tokens, waits = ledger.spoken(transcript), ledger.waited(transcript)
    present = [panelist.name for panelist in transcript.present()]
    total = sum(tokens[name] for name in present)
    result = dict[str, Claim]()
    for name in ledger.candidates(transcript):
        balance = BALANCE * (1 / len(present) - tokens[name] / total) if total else 0.0
        points = urgency.get(name, 0) + WAITING * waits[name] + balance
        result[name] = Claim(points, -tokens[name], -present.index(name))
    return result


def _urgency(said: float | str) -> int:
    """Also from `7/10` and `"8"`."""
    if isinstance(said, str):
        number = re.match(r"\s*(\d{1,3}(?:\.\d+)?)", said)
        if number is None:
            raise Unread(f"The urgency is to be a number from 0 to {HIGHEST}.")
        said = float(number[1])
    return round(min(max(said, 0), HIGHEST))
