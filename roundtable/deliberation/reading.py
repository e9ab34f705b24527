"""What a model said when it was asked for something in a form, as findings: read once, and written in the log.

`READERS` has a function for each kind of turn that is read. What cannot be read is a finding too (`turn.unread`): the
method asks again, once, and says what was wrong; then it goes on without.
"""

from collections.abc import Callable, Mapping

from protocol import kinds
from protocol.findings import ANY, Reading, TurnUnread, VerdictGiven
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import ballots, bids, choices, judging, stances, summaries, verdicts, votes
from roundtable.deliberation.answers import Unread

Reader = Callable[[Transcript, Turn], list[ANY]]
READERS: Mapping[str, Reader] = {
    kinds.STANCES: stances.read,
    kinds.VERDICT: verdicts.read,
    kinds.MODERATION: choices.read,
    kinds.BID: bids.read,
    kinds.BALLOT: ballots.read,
    kinds.JUDGEMENT: judging.read,
    kinds.VOTE: votes.read,
    kinds.SUMMARY: summaries.read,
}
"""By kind. Raises `Unread`; at least one finding names the turn."""
ATTEMPTS = 2
"""How often one is asked for the same in one round: once, and once more with what was wrong."""


def unwritten(transcript: Transcript) -> list[ANY]:
    """Findings of turns that have ended and were not read yet, the oldest turn's first."""
    read = {
        each.finding.turn for each in transcript.findings if isinstance(each.finding, Reading | VerdictGiven)
    }
    for turn in transcript.of("completed"):
        if turn.kind in READERS and turn.turn not in read:
            return _read(transcript, turn)
    return []


def attempts(transcript: Transcript, panelist: str, kind: str, round: int) -> list[Turn]:
    """Her turns of that kind in that round and sitting, in order."""
    return [
        turn
        for turn in transcript.sitting()
        if (turn.panelist, turn.kind, turn.round) == (panelist, kind, round)
    ]


def complaint(transcript: Transcript, turn: Turn) -> str:
    """What was wrong with her last answer of this kind and round, if it could not be read; for her prompt."""
    asked = attempts(transcript, turn.panelist, turn.kind, turn.round)
    before = [each.turn for each in asked if each.seq < turn.seq][-1:]
    wrong = [each.detail for each in transcript.found(TurnUnread) if each.turn in before]
    return (
        f"Your last answer could not be read: {wrong[-1]} Answer again, exactly in the form asked."
        if wrong
        else ""
    )


def _read(transcript: Transcript, turn: Turn) -> list[ANY]:
    try:
        return READERS[turn.kind](transcript, turn)
    except Unread as error:
        return [
            TurnUnread(
                turn=turn.turn, panelist=turn.panelist, round=turn.round, kind=turn.kind, detail=error.detail
            )
        ]
