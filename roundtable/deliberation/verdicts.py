"""What the panel came to: the chair's synthesis, and beside it what only the log can say.

The header is derived from who really answered. Where there is no synthesis the verdict says so, and why; nothing else
is put in its place.
"""

from protocol import kinds
from protocol.findings import ANY, VerdictGiven
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import officers
from roundtable.deliberation.brief import Brief

_TASK = """\
The discussion is over. Write its outcome for people who did not read it: first the answer to the topic as the panel's \
words support it, then where they disagree and who stands for what, by name, then what would settle it. Invent no \
agreement: what only one of them said is that one's view."""


def answered(transcript: Transcript) -> list[str]:
    """Who said something in this sitting, in seat order."""
    spoke = {
        turn.panelist
        for turn in transcript.sitting()
        if turn.status == "completed"
        and kinds.is_heard(turn.kind)
        and turn.kind != kinds.VERDICT
        and turn.text.strip()
    }
    return [panelist.name for panelist in transcript.panel if panelist.name in spoke]


def silent(transcript: Transcript) -> dict[str, str]:
    """Who takes part and did not, and why."""
    spoke = answered(transcript)
    return {
        panelist.name: _why_silent(transcript, panelist.name)
        for panelist in transcript.panel
        if not panelist.role and panelist.name not in spoke and panelist.name not in transcript.removed
    }


def _why_silent(transcript: Transcript, name: str) -> str:
    failed = [turn.error for turn in transcript.sitting() if turn.panelist == name and turn.error]
    if failed:
        return failed[-1].detail
    return "muted" if name in transcript.muted else "had no turn"


def header(transcript: Transcript, missing: str) -> str:
    """`3 of 5 answered; the chair failed, no synthesis.`"""
    said, others = answered(transcript), silent(transcript)
    told = f"{len(said)} of {len(said) + len(others)} answered"
    return f"{told}; {missing}, no synthesis." if missing else f"{told}."


def brief(transcript: Transcript, turn: Turn) -> Brief:
    """What the chair is asked."""
    return Brief(task=_TASK, clerk=True)


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """The verdict with a synthesis."""
    return [given(transcript, turn)]


def given(transcript: Transcript, turn: Turn | None, missing: str = "") -> VerdictGiven:
    """The verdict as it stands, with the chair's words in `turn`, or why there are none."""
    return VerdictGiven(
        round=transcript.round,
        header=header(transcript, missing),
        answer=turn.text if turn else "",
        chair=turn.panelist if turn else "",
        turn=turn.turn if turn else "",
        missing=missing,
        answered=answered(transcript),
        silent=silent(transcript),
    )


def is_given(transcript: Transcript) -> bool:
    """Whether this conclusion of the discussion has come to its verdict. One that has no synthesis may be followed by
    another conclusion, when a person asks for it."""
    since = max(transcript.base_seq, transcript.concluding_seq)
    return any(each.seq > since and isinstance(each.finding, VerdictGiven) for each in transcript.findings)


def seat(transcript: Transcript) -> str | None:
    """Who writes it."""
    chair = officers.chair(transcript)
    return chair.name if chair else None
