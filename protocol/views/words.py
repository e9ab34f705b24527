"""What is said about a table to people, wherever it is shown as text: plain, short, and who, why and what then."""

from datetime import UTC, datetime

from protocol.transcript import Spent, Transcript, Turn

STOPPED = {
    "length": "cut off at the token limit",
    "refusal": "the model refused to go on",
    "content_filter": "cut off by the provider's content filter",
    "tool_calls": "wanted to call a tool, and there is none",
}
REASONS = {
    "command": "ended on request",
    "max_turns": "the limit on turns is reached",
    "max_rounds": "the last round is over",
    "max_tokens": "the limit on tokens is reached",
    "max_seconds": "the time is up",
    "max_dollars": "the money is spent",
    "no_panelists": "nobody is left to speak",
    "ranked": "the answers are in, and ranked",
    "answered": "everything that was asked is answered",
    "moderator": "the moderator ended the discussion",
    "passes": "nobody had anything to add",
    "loop": "the panel was repeating itself",
    "convergence": "the answers had come close to each other",
    "consensus": "nobody opposed anything any more",
    "one_side": "nobody is left to disagree",
    "no_proposal": "nobody came to a proposal",
}
CUT = {
    "command": "on request",
    "barge_in": "for a person to speak",
    "skipped": "on request",
    "muted": "to be muted",
    "removed": "as she left",
    "swapped": "for another model to go on",
    "absent": "as she had left",
    "concluding": "as the verdict was asked for",
    "fork": "as the fork begins here",
}
"""Why a turn was stopped, behind "was stopped here". Whatever is not here came with the table's end."""
_LONGEST_TITLE = 120


def title(topic: str) -> str:
    """The topic on one line, cut at a word where it is longer than a title is."""
    line = " ".join(topic.split()) or "Untitled"  # a thread may be
    if len(line) <= _LONGEST_TITLE:
        return line
    cut = line[:_LONGEST_TITLE]
    return f"{cut.rpartition(' ')[0] or cut} \u2026"  # not every script has blanks


def status(t: Transcript) -> str:
    """Whether it is over, and why."""
    why = REASONS.get(t.ended_reason, t.ended_reason.replace("_", " "))
    match t.status:
        case "closed":
            return f"The table is closed: {why}. {t.ended_detail}".strip()
        case "resting":
            return f"The table rests: {why}."
        case "paused":
            return "The table is paused."
        case _:
            return "The table goes on."


def spent(s: Spent) -> str:
    """What it took."""
    turns = f"{s.turns} turn{'' if s.turns == 1 else 's'}"
    return f"{turns}, {s.tokens_in:,} tokens read, {s.tokens_out:,} written, {price(s)}."


def price(s: Spent) -> str:
    """In dollars, as far as prices are known."""
    if s.unpriced and not s.dollars:
        return "price unknown"
    digits = 4 if 0 < s.dollars < 0.1 else 2
    return f"{'at least ' if s.unpriced else ''}${s.dollars:.{digits}f}"


def moment(at: float) -> str:
    """A Unix time: `21 November 2026, 11:57 UTC`."""
    when = datetime.fromtimestamp(at, UTC)
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def offset(seconds: float) -> str:
    """Time since the opening: `4:12`, `1:04:12`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def end_of(turn: Turn) -> str:
    """How a turn ended, where that is not its own full stop; empty otherwise."""
    who = turn.panelist
    kept = " What was said stays on record; the others are not shown it." if turn.text else ""
    match turn.status:
        case "failed" if turn.error is not None:
            return f"{who} failed: {turn.error.detail or turn.error.code}{kept}"
        case "cancelled":
            why = CUT.get(turn.reason, "as the table closed")
            return f"{who} was {'stopped here' if turn.text else 'skipped'} {why}."
        case "completed" if turn.stop_reason in STOPPED:
            return f"{who}: {STOPPED[turn.stop_reason]}."
        case "completed" if not turn.text.strip():
            return f"{who} said nothing."
        case "started":
            return f"{who} still has the floor."
        case _:
            return ""
