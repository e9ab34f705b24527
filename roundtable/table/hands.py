"""How long the table waits for who has raised a hand: once nobody speaks, and for one person after the other. Pure."""

from protocol.transcript import Transcript

# Seconds that one person may leave the table waiting: time to write some sentences, and no audience waits longer.
WITHIN = 60.0
# Hands that may be up at once: more would make the table wait for them longer than it talks.
MOST = 8


def seconds_left(transcript: Transcript, now: float) -> float | None:
    """Seconds until the first hand is waited for no more, at Unix time `now`; None while nobody is waited for.

    Told from the log alone, so that whoever takes the table over waits no longer than that in all.
    """
    if not transcript.hands or transcript.status != "open" or transcript.of("started"):
        return None
    ended = max((turn.ended_at for turn in transcript.turns), default=0.0)
    since = max(transcript.hand_at, transcript.running_since, ended)
    return since + transcript.hand_within - now
