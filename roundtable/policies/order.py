"""Rules of order that every policy keeps: who has left is passed over, whoever a person asks by name answers first."""

from protocol import kinds
from protocol.transcript import Posted, Transcript, Turn
from roundtable.deliberation import ledger
from roundtable.policies.base import Plan, Seat

WAIT = Plan()
ASKED = "asked"
"""The reason of a turn that answers a person."""
ONE_SIDE = "one_side"
"""Why a table ends at which nobody is left to disagree."""


def first_of_all(transcript: Transcript) -> Plan:
    """What comes before any policy's own order; nothing when the policy may decide."""
    if left := gone(transcript):
        return Plan(drop=left)
    if not transcript.present():
        return Plan(end="no_panelists")
    message = _unanswered(transcript)
    return WAIT if message is None else Plan(queue=(Seat(message.to, reason=ASKED),))


def gone(transcript: Transcript) -> tuple[str, ...]:
    """Queued turns of those who are not here any more."""
    here = {panelist.name for panelist in transcript.here()}
    return tuple(turn.turn for turn in transcript.of("queued") if turn.panelist not in here)


def one_at_a_time(transcript: Transcript) -> Plan | None:
    """What comes before the order of a policy under which one speaks at a time; None when that policy may decide."""
    if first := first_of_all(transcript):
        return first
    if transcript.of("started"):
        return WAIT
    queued = transcript.of("queued")
    return Plan(run=(next_in_line(queued).turn,)) if queued else None


def round_to_begin(transcript: Transcript) -> int | None:
    """The next round's number, if this one is over, where a round is as many speeches as there are panelists present;
    answers to a person come on top."""
    held = sum(
        turn.round == transcript.round and turn.reason != ASKED for turn in ledger.speeches(transcript)
    )
    begun = transcript.round > transcript.base_round
    return None if begun and held < len(transcript.present()) else transcript.round + 1


def all_at_once(transcript: Transcript) -> Plan | None:
    """What comes before the order of a policy under which all speak at once, each one turn at a time; None when that
    policy may decide."""
    if first := first_of_all(transcript):
        return first
    queued, speaking = transcript.of("queued"), transcript.of("started")
    if ready := one_each(queued, speaking):
        return Plan(run=ready)
    return WAIT if speaking else None


def together(transcript: Transcript, kinds: frozenset[str]) -> Plan | None:
    """As `one_at_a_time`, but turns of these kinds are held at the same time."""
    if first := first_of_all(transcript):
        return first
    queued, speaking = transcript.of("queued"), transcript.of("started")
    ahead = next_in_line(queued) if queued else None
    if ahead is None or any(turn.kind not in kinds for turn in speaking):
        return WAIT if speaking else None
    if ahead.kind not in kinds:
        return WAIT if speaking else Plan(run=(ahead.turn,))
    return Plan(run=one_each([turn for turn in queued if turn.kind in kinds], speaking))


def one_each(queued: list[Turn], started: list[Turn]) -> tuple[str, ...]:
    """The next turn of each panelist who does not speak already, in the order of the queue; the asked go first."""
    busy = {turn.panelist for turn in started}
    chosen: list[str] = []
    for turn in sorted(queued, key=lambda turn: turn.reason != ASKED):
        if turn.panelist not in busy:
            busy.add(turn.panelist)
            chosen.append(turn.turn)
    return tuple(chosen)


def keeps_for_verdict(transcript: Transcript) -> bool:
    """Whether something of each limit is kept, as a verdict is to come."""
    return transcript.verdict and not transcript.concluding


def turns_left(transcript: Transcript) -> int | None:
    """Turns that may still start, queued ones not deducted; None is without limit. One of several is kept for the
    verdict."""
    limit = transcript.limits.max_turns
    if limit is None:
        return None
    kept = 1 if keeps_for_verdict(transcript) and limit > 1 else 0
    return max(0, limit - kept - (transcript.spent.turns - transcript.base.turns))


def affords(transcript: Transcript, turns: int) -> bool:
    """Whether so many are left."""
    left = turns_left(transcript)
    return left is None or left >= turns


def next_in_line(queued: list[Turn]) -> Turn:
    """Of those who speak one at a time, the next: the asked go first."""
    return next((turn for turn in queued if turn.reason == ASKED), queued[0])


def asked(transcript: Transcript, message: Posted) -> bool:
    """Whether the message is to someone here who was not given a turn for it yet."""
    if all(panelist.name != message.to for panelist in transcript.here()):
        return False
    return not any(
        turn.panelist == message.to and turn.seq > message.seq and kinds.is_heard(turn.kind)
        for turn in transcript.turns
    )


def _unanswered(transcript: Transcript) -> Posted | None:
    """The oldest message that waits for its answer."""
    return next((message for message in transcript.messages if asked(transcript, message)), None)
