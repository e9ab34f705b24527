"""A Transcript as a play: who says what in the order in which they began, and what has to be told in between.

What models and people say is taken apart into prose and code, and into nothing finer: this is no Markdown parser.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from protocol import kinds
from protocol.findings import VerdictGiven
from protocol.transcript import Posted, Transcript, Turn
from protocol.views import words


class Round(NamedTuple):
    """From here on it is round `number`."""

    number: int


class Speech(NamedTuple):
    """Someone's words. `seat` is the panelist's place, None for a person; `aside` the model, or to whom a person spoke;
    `note` says how it ended, if not by itself."""

    name: str
    seat: int | None
    aside: str
    offset: str
    text: str
    thinking: str = ""
    note: str = ""


class Block(NamedTuple):
    """A stretch of a speech. `language` is what the model called its code; None is prose."""

    text: str
    language: str | None = None


Line = Round | Speech

# The opening of a code block, however deep in a list; CommonMark 0.31, section 4.5.
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*([^`\n]*)")
# Unicode's line ends beside the line feed; then what is left of its categories Cc and Cs.
_LINE_END = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LANGUAGE = re.compile(r"[A-Za-z0-9+#.-]{1,20}", re.ASCII)


def play(t: Transcript) -> Iterator[Line]:
    """The lines. A turn stands where it got the floor; one that never did only where a person skipped it. What was
    asked for in a form is no line."""
    seats = {panelist.name: seat for seat, panelist in enumerate(t.panel)}
    lines: list[tuple[int, Turn | Posted]] = [(said.seq, said) for said in t.messages]
    lines += [(turn.started_seq or turn.seq, turn) for turn in t.turns if _is_told(turn)]
    given = [found.finding for found in t.findings if isinstance(found.finding, VerdictGiven)]
    headers = {verdict.turn: verdict.header for verdict in given}
    number = 0
    for _, line in sorted(lines, key=lambda line: line[0]):
        if isinstance(line, Turn):
            if line.round != number and line.round:
                number = line.round
                yield Round(number)
            yield _speech(t, line, seats.get(line.panelist), headers.get(line.turn, ""))
        else:
            at = words.offset(line.at - t.opened_at)
            aside = f"to {line.to}" if line.to else ""
            yield Speech(line.author or "Someone", None, aside, at, line.text)


def _is_told(turn: Turn) -> bool:
    if not kinds.is_heard(turn.kind):
        return False  # what came of it is told where it matters: a bid by who speaks next
    return turn.started_at > 0 or (turn.status == "cancelled" and turn.reason == "command")


def _speech(t: Transcript, turn: Turn, seat: int | None, header: str) -> Speech:
    at = words.offset((turn.started_at or turn.ended_at) - t.opened_at)
    note = f"{words.end_of(turn)} {header}".strip()
    return Speech(turn.panelist, seat, turn.model, at, turn.text, turn.thinking, note)


def plain(text: str) -> str:
    """Without control characters, each kind of line end as a line feed."""
    return _CONTROLS.sub("", _LINE_END.sub("\n", text))


def blocks(text: str) -> Iterator[Block]:
    """Prose and code by turns. Code that was never closed lasts to the end."""
    kept: list[str] = []
    fence = language = ""
    for line in plain(text).split("\n"):
        match = _FENCE.fullmatch(line)
        if match and (not fence or (match[1].startswith(fence) and not match[2].strip())):
            yield from _block(kept, language if fence else None)
            kept = []
            named = _LANGUAGE.match(match[2])
            fence, language = ("", "") if fence else (match[1], named[0] if named else "")
        else:
            kept.append(line)
    yield from _block(kept, language if fence else None)


def _block(lines: list[str], language: str | None) -> Iterator[Block]:
    text = "\n".join(lines)
    if language is not None or text.strip():
        yield Block(text if language is not None else text.strip("\n"), language)
