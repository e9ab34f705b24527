"""What ends a discussion before its limits do (`Until`): the reasons, each a pure question to the transcript."""

from protocol.findings import Converge
from protocol.transcript import Transcript
from roundtable.deliberation import loops, passes, stances


def reached(transcript: Transcript) -> str:
    """The reason by which the discussion is over now; empty while it is not."""
    until = transcript.until
    if until.convergence is not None and transcript.found(Converge):
        return "convergence"
    if until.consensus and stances.consensus(transcript):
        return "consensus"
    if transcript.of("queued", "started"):
        return ""  # what follows is told from whole turns, and once after each
    if until.passes and passes.everyone(transcript):
        return "passes"
    if until.loop and loops.goes_round(transcript):
        return "loop"
    return ""
