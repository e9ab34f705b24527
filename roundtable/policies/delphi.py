"""Blind rounds, until the positions are near each other: the Delphi method (Dalkey and Helmer, An Experimental
Application of the Delphi Method to the Use of Experts, 1963).

All answer at once, each with her position in one line and her reasons. From the second round on everyone is shown the
answers of the round before, under labels instead of names and in an order that differs from reader to reader, with
where the group stands; she keeps or revises hers and says why. It ends when the dispersion of a round is below the
table's threshold, or after `max_rounds`, three where nothing is set and five at the most. Nobody learns a name before
the end, whatever she is asked for; what a person says by name is heard by all, with the names hidden.
"""

import re
from statistics import median, quantiles

from msgspec.structs import replace

from protocol.findings import Entropy
from protocol.kinds import ANSWER, VERDICT
from protocol.messages import Until
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import convergence
from roundtable.deliberation.brief import Brief, drawn, same_round, subject
from roundtable.deliberation.paperwork import BRIEFS
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat

# By words, as measured: who takes over another's wording is 0 from her, with a word more or less 0.15. One of up to
# nine who stands apart keeps the mean above it. What is near in a model's embeddings was not measured: set `until`.
THRESHOLD = 0.2
# Three rounds are commonly enough for answers to be stable, and further ones show little change (Linstone and Turoff,
# The Delphi Method, 1975).
MOST_ROUNDS = 5

_FORM = """\
Begin with one line `POSITION: ` (that word, in any language) and your answer in one sentence; a number if a number is \
asked for. Then your reasons, in at most about 150 words."""

_FIRST = (
    """\
Give your own answer to {subject}. The others do the same now, and you will see what they hold, without names, in the \
next round.
"""
    + _FORM
)

_AGAIN = (
    """\
You have seen what was answered in the last round. {stands}
Keep your position or revise it. If you now hold what another does, take over that wording, so that it can be seen. \
Say what convinced you, or why you stay apart from the others; nobody is asked to agree.
"""
    + _FORM
)

_LETTERS = "ABCDEFGHIJKL"
# A number as the answer, with a word before it at the most, and what it counts: `About 40 %`, not `Ban it by 2030`.
_NUMBER = re.compile(
    r"\W{0,3}?(?:[^\W\d]+\W{1,3}?)?(?<![\w.,])(-?\d{1,15}(?:\.\d{1,15})?)(?!\w|[.,]\d)\s*(%|[^\W\d]*)(?!.*\d)",
    re.DOTALL,
)


class Delphi:
    """Implements `TurnPolicy`."""

    name = "delphi"
    title = "Delphi"
    summary = (
        "Everyone answers blind, sees all answers without names, and keeps or revises, until they are near."
    )
    blind = True
    verdict = True
    stances = False  # whoever reads them would read names
    until = Until(convergence=THRESHOLD)
    least = 2

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        plan = order.all_at_once(transcript)
        if plan is not None:
            return plan
        if transcript.round - transcript.base_round >= _rounds(transcript):
            return Plan(end="max_rounds")
        seats = tuple(Seat(panelist.name, ANSWER) for panelist in transcript.present())
        return Plan(round=transcript.round + 1, queue=seats)

    def brief(self, transcript: Transcript, turn: Turn) -> Brief | None:
        """An answer, or an answer with those of the round before; at the end the chair is told who was who."""
        if turn.kind == VERDICT:
            chair = BRIEFS[VERDICT](transcript, turn)
            return replace(chair, task=f"{chair.task}\n\n{_who_was_who(transcript)}")
        if turn.kind != ANSWER:
            return None
        answers = [each for each in transcript.sitting() if each.kind == ANSWER]
        shown = [each.turn for each in answers if each.round == turn.round - 1]
        unheard = frozenset(each.turn for each in answers if each.turn not in shown)
        if not convergence.positions(transcript, turn.round - 1):
            return Brief(task=_FIRST.format(subject=subject(transcript)), unheard=unheard)
        lot = f"{transcript.seed}/{turn.round}/{turn.panelist}/"
        return Brief(task=_again(transcript, turn), unheard=unheard, order=tuple(drawn(shown, lot)))

    def veil(self, transcript: Transcript, turn: Turn, brief: Brief) -> Brief:
        """Before the end nobody is told a name, nor heard in the round in which she speaks."""
        if turn.kind == VERDICT or brief.aliases:
            return brief
        unheard = brief.unheard if brief.clerk else brief.unheard | same_round(transcript, turn)
        return replace(brief, aliases=labels(transcript), veiled=not brief.clerk, unheard=unheard)


def _who_was_who(transcript: Transcript) -> str:
    known = ", ".join(f"{name} as {label}" for name, label in labels(transcript).items())
    return (
        "They answered in blind rounds and knew each other by labels, which are in what they wrote: "
        f"{known}. Say under Answer also how positions moved from round to round, and whose did not."
    )


def labels(transcript: Transcript) -> dict[str, str]:
    """Under which label each panelist is known to the others: dealt by the table's seed, and hers for good."""
    letters = drawn(_LETTERS, f"{transcript.seed}/")
    return {
        panelist.name: f"Panelist {letters[seat % len(letters)]}{seat // len(letters) or ''}"
        for seat, panelist in enumerate(transcript.panel)
    }


def _rounds(transcript: Transcript) -> int:
    return min(transcript.limits.max_rounds or 3, MOST_ROUNDS)


def _again(transcript: Transcript, turn: Turn) -> str:
    before = convergence.positions(transcript, turn.round - 1)
    measured = [each for each in transcript.found(Entropy) if each.round < turn.round]
    stands = [f"{len(before)} answered.", _spread(measured), _numbers(list(before.values()))]
    return _AGAIN.format(stands=" ".join(filter(None, stands)))


def _spread(measured: list[Entropy]) -> str:
    """Where the group stands, in one sentence."""
    if not measured:
        return ""
    last, *earlier = reversed(measured)
    by = "in wording" if last.method == "lexical" else "in meaning, as a model's embeddings have it"
    was = f", after {earlier[0].value:.2f} in the round before" if earlier else ""
    return f"Their dispersion {by} is {last.value:.2f}{was} (0: all the same, 1: nothing in common)."


def _numbers(positions: list[str]) -> str:
    """The median and the middle half, as Delphi's experts were told them, where every position is one number of the
    same."""
    found = [number for position in positions if (number := _NUMBER.match(position))]
    if not 3 <= len(found) == len(positions) or len({number[2].casefold() for number in found}) > 1:
        return ""
    values = [float(number[1]) for number in found]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return f"The median is {median(values):g}; the middle half is from {low:g} to {high:g}."
