"""Where a round's speakers stand at its end, how far apart that is (`entropy`), and when it counts as converged."""

import re

from protocol.findings import Converge, Entropy
from protocol.transcript import Transcript
from roundtable.deliberation import dispersion, record

# Where she puts her position in one line of its own, that is what is compared: reasons differ where positions do not.
_POSITION = re.compile(r"^[^\w\n]*position[^\w\n]*?[:：](.*)$", re.IGNORECASE | re.MULTILINE)


def position(text: str) -> str:
    """What the text holds in one sentence, if it says so in a line that begins with `POSITION:`; else all of it."""
    stated = _POSITION.search(text)
    return (stated and stated[1].strip(" \t*_")) or text.strip()[: dispersion.LONGEST]


def positions(transcript: Transcript, round: int | None = None) -> dict[str, str]:
    """Where each who spoke in that round of the sitting, the last one unless told, stands at its end: by her last
    words, in seat order."""
    wanted = transcript.round if round is None else round
    last = {
        turn.panelist: position(turn.text)
        for turn in record.said(transcript)
        if turn.round == wanted and turn.status == "completed"
    }
    return {panelist.name: last[panelist.name] for panelist in transcript.panel if panelist.name in last}


def due(transcript: Transcript) -> bool:
    """Whether the round that is over was not measured yet, and at least two took a position in it."""
    if transcript.round <= transcript.base_round or _measured(transcript):
        return False
    return len(positions(transcript)) > 1


def lexical(transcript: Transcript) -> Entropy:
    """The round's dispersion by words."""
    texts = list(positions(transcript).values())
    return Entropy(
        round=transcript.round,
        value=round(dispersion.lexical(texts), 4),
        method="lexical",
        voices=len(texts),
    )


def unwritten(transcript: Transcript) -> list[Converge]:
    """That the round's dispersion is below the table's threshold, if it is and was not said."""
    threshold, measured = transcript.until.convergence, _measured(transcript)
    if threshold is None or measured is None or measured.value >= threshold:
        return []
    if any(each.round == measured.round for each in transcript.found(Converge)):
        return []
    return [Converge(round=measured.round, value=measured.value, threshold=threshold, method=measured.method)]


def _measured(transcript: Transcript) -> Entropy | None:
    return next((each for each in transcript.found(Entropy) if each.round == transcript.round), None)
