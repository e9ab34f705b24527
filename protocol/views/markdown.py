"""A Transcript as Markdown, set like a play.

What was said is untrusted, so nothing of it acts on the document: it stands in block quotes, code in fences that we
make, and in prose the signs that begin HTML, links, images, headings and rules are escaped. Emphasis and lists stay.
"""

import re

from protocol.findings import Claim, Dissent
from protocol.transcript import Transcript
from protocol.views import thread, verdict, words
from protocol.views.play import Block, Round, Speech, blocks, plain, play

_CODE = re.compile(r"(?<!`)(`+)(?!`)([^\n]+?)(?<!`)\1(?!`)")
# Inside a line: what begins an escape, code, a link or image, HTML or an autolink, a character reference.
_ACTIVE = re.compile(r"[\\`\[\]]|<(?=[A-Za-z/!?])|&(?=#?[A-Za-z0-9]+;)")
# At its start, be it in a list: a heading; a fence; a rule, or the underline that makes a heading of the line above.
_OPENING = re.compile(
    r"^((?:[ \t>]|[-+*][ \t]|[0-9]{1,9}[.)][ \t])*)(#|~{3}|[-=*_][ \t\-=*_]*$)", re.MULTILINE
)
_ALL = re.compile(r"[\\`*_\[\]<>&#|~!]")
_REFERENCES = {"<": "&lt;", "&": "&amp;", ">": "&gt;"}


def markdown(t: Transcript) -> str:
    """The document. It ends with a line feed."""
    parts = [f"# {_inline(words.title(thread.title(t)))}"]
    if t.topic.strip() not in ("", words.title(thread.title(t))):
        parts.append(_quote(t.topic))
    parts += [_facts(t), *_verdict(t), "## Panel", "\n".join(_seats(t))]
    for line in play(t):
        match line:
            case Round():
                parts.append(f"## Round {line.number}")
            case Speech():
                parts += _speech(line)
    parts += ["---", f"Table {_inline(t.table)}, up to entry {t.cursor}."]
    return "\n\n".join(parts) + "\n"


def _facts(t: Transcript) -> str:
    return f"{words.moment(t.opened_at)}. {_inline(words.status(t))} {words.spent(t.spent)}"


def _seats(t: Transcript) -> list[str]:
    return [
        f"- **{_inline(each.name)}**, {_inline(each.model)}"
        + (f". {_inline(each.persona)}" if each.persona else "")
        for each in t.panel
    ]


def _verdict(t: Transcript) -> list[str]:
    shown = verdict.newest(t)
    if shown is None:
        return []
    given = shown.given
    parts = ["## Verdict", f"**{_inline(given.header)}**"]
    if given.answer:
        parts.append(_quote(given.answer))
    if given.dissent:
        parts += ["### Dissent", *(part for each in given.dissent for part in _dissent(each))]
    if given.claims:
        parts += ["### Claims", "\n".join(_claims(given.claims)), _inline(shown.source)]
    if shown.moves:
        parts += ["### Who moved whom", "\n".join(f"- {_inline(move)}" for move in shown.moves)]
    return [*parts, *(f"*{_inline(each)}*" for each in [*shown.corrections, shown.confidence] if each)]


def _dissent(dissent: Dissent) -> list[str]:
    return [f"**{_inline(dissent.panelist)}**, {verdict.whose(dissent)}", _quote(dissent.text)]


def _claims(claims: list[Claim]) -> list[str]:
    rows = [(claim.text, *map(", ".join, (claim.supports, claim.opposes, claim.unsure))) for claim in claims]
    cells = [" | ".join(map(_inline, row)) for row in rows]
    return [
        "| Claim | For | Against | Unsure |",
        "| --- | --- | --- | --- |",
        *(f"| {row} |" for row in cells),
    ]


def _speech(speech: Speech) -> list[str]:
    aside = f", {_inline(speech.aside)}" if speech.aside and speech.seat is None else ""
    head = f"**{_inline(speech.name)}**{aside} ({speech.offset})"
    said = [_quote(speech.text)] if speech.text.strip() else []
    return [head, *said, *([f"*{_inline(speech.note)}*"] if speech.note else [])]


def _inline(text: str) -> str:
    """Text on one line, with no sign left that means anything."""
    return _ALL.sub(lambda sign: _REFERENCES.get(sign[0], f"\\{sign[0]}"), " ".join(plain(text).split()))


def _quote(text: str) -> str:
    quoted = "\n\n".join(
        _code(block) if block.language is not None else _prose(block.text) for block in blocks(text)
    )
    return "\n".join(f"> {line}" if line else ">" for line in quoted.split("\n"))


def _code(block: Block) -> str:
    longest = max(map(len, re.findall(r"`+", block.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{block.language}\n{block.text}\n{fence}"


def _prose(text: str) -> str:
    """Prose with the code in its lines kept as code: we make its marks, so they cannot be read otherwise."""
    parts, end = [], 0
    for match in _CODE.finditer(text):
        parts += [_escaped(text[end : match.start()]), match[0]]
        end = match.end()
    parts.append(_escaped(text[end:]))
    return _OPENING.sub(lambda sign: f"{sign[1]}\\{sign[2]}", "".join(parts))


def _escaped(text: str) -> str:
    return _ACTIVE.sub(lambda sign: _REFERENCES.get(sign[0], f"\\{sign[0]}"), text)
