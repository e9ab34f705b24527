"""The chair's words read back: Markdown under fixed headings, taken leniently. What is not there is not made up.

A name that is nobody's is dropped, and one who said nothing neither supports nor opposes anything.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, cast

from protocol.findings import Claim, Dissent
from roundtable.deliberation.answers import named

Confidence = Literal["", "low", "medium", "high"]

ANSWER, AGREE, DISAGREE, DISSENT, CONFIDENCE = (
    "answer", "where they agree", "where they disagree", "dissent", "confidence",
)  # fmt: skip
_HEADINGS = "|".join((ANSWER, AGREE, DISAGREE, DISSENT, CONFIDENCE))
# As it is asked for, or in bold, with a number, a remark in brackets or a colon, and behind that even with what stands
# under it: models write all of them.
_HEADING = re.compile(
    rf"^[ \t]*(?P<mark>#{{1,6}}|\*\*)[ \t]*(?:\d+[.)][ \t]*)?(?P<of>{_HEADINGS})[ \t]*(?:\([^()\n]*\)[ \t]*)?"
    r"(?:[ \t*#]*|[ \t*#]*[:\uff1a][ \t*#]*+(?P<text>[^\n]*))$",
    re.IGNORECASE | re.MULTILINE,
)
# Between two parts: a rule; and the end of a fence around all of it.
_RULE = re.compile(r"-{3,}|\*{3,}|_{3,}|```")
_BULLET = re.compile(r"^[ \t]*(?:[-*+\u2022]|\d+[.)])[ \t]+", re.MULTILINE)
_NAMED = re.compile(r"[(\uff08\[]([^()\[\]\uff08\uff09]*)[)\uff09\]][\s.*]*$")
_NUMBER = re.compile(r"^\W*(c\d{1,6})\b\W*", re.IGNORECASE)
_SIDES = {
    "for": "supports", "support": "supports", "supports": "supports",
    "against": "opposes", "oppose": "opposes", "opposes": "opposes", "unsure": "unsure",
}  # fmt: skip
_SIDE = re.compile(rf"(?:^|[;,|\uff1b\uff0c])\W*({'|'.join(_SIDES)})\b[\s*_]*[:\uff1a]", re.IGNORECASE)
_SURE = re.compile(r"\W*(low|medium|high)\b\W*", re.IGNORECASE)
# Claims and dissents that are read out of one synthesis; more is no synthesis.
_MOST = 50


class Synthesis(NamedTuple):
    """What the chair wrote. `answer` stands in her text exactly so; `claims` have the number she gave each, if any."""

    answer: str
    claims: Sequence[tuple[str, Claim]]
    dissent: Sequence[Dissent]
    confidence: Confidence
    why: str


def read(text: str, names: Sequence[str]) -> Synthesis:
    """Her text, in which `names` may be named. Without an answer of its own all of it is the answer."""
    parts = _parts(text)
    sure, why = _confidence(parts.get(CONFIDENCE, ""))
    claims = [_claim(item, names) for part in (AGREE, DISAGREE) for item in _items(parts.get(part, ""))]
    return Synthesis(
        answer=parts.get(ANSWER) or text.strip(),
        claims=[each for each in claims if each[1].text][:_MOST],
        dissent=_dissent(parts.get(DISSENT, ""), names)[:_MOST],
        confidence=sure,
        why=why,
    )


def _parts(text: str) -> dict[str, str]:
    """What stands under each heading, up to the next of its rank; of two that are alike the first."""
    found: dict[str, str] = {}
    headings = list(_HEADING.finditer(text))
    marked = {heading["of"].casefold() for heading in headings if heading["mark"] != "**"}
    # `**Confidence:** ...` inside the answer of one who marks her headings is a line of it.
    headings = [each for each in headings if each["mark"] != "**" or each["of"].casefold() not in marked]
    starts = [heading.start() for heading in headings]
    for mark in {heading["mark"] for heading in headings if heading["mark"] != "**"}:
        starts += [other.start() for other in re.finditer(rf"^{mark}(?!#)", text, re.MULTILINE)]
    starts.sort()
    for heading in headings:
        begin = heading.start("text") if heading["text"] else heading.end()
        after = bisect_right(starts, heading.start())
        end = starts[after] if after < len(starts) else len(text)
        found.setdefault(heading["of"].casefold(), _bare(text[begin:end]))
    return found


def _bare(part: str) -> str:
    """Without a rule and the end of a fence behind it."""
    part = part.strip()
    for _ in range(2):
        rest, _, last = part.rpartition("\n")
        part = rest.rstrip() if _RULE.fullmatch(last) else part
    return part


def _items(text: str) -> Iterator[str]:
    """What stands behind each bullet, on one line; what stands before the first is prose about them."""
    starts = [match.span() for match in _BULLET.finditer(text)]
    for place, (_, begin) in enumerate(starts):
        end = starts[place + 1][0] if place + 1 < len(starts) else len(text)
        yield " ".join(text[begin:end].split())


def _claim(item: str, names: Sequence[str]) -> tuple[str, Claim]:
    number = _NUMBER.match(item)
    item = item[number.end() :] if number else item
    sides: dict[str, list[str]] = {}
    if (tail := _NAMED.search(item)) and (sides := _sides(tail[1], names)):
        item = item[: tail.start()]
    text = item.strip()
    return number[1].casefold() if number else "", Claim(
        text, sides.get("supports", []), sides.get("opposes", []), sides.get("unsure", [])
    )


def _sides(text: str, names: Sequence[str]) -> dict[str, list[str]]:
    """`for: Ada, Ben; against: Cleo`. Who is put on two sides is on none; empty where the words are no such list."""
    sides: dict[str, list[str]] = {}
    _, *parts = _SIDE.split(text)
    for label, who in zip(parts[::2], parts[1::2], strict=True):
        sides.setdefault(_SIDES[label.casefold()], []).extend(_names(who, names))
    everyone = [name for side in sides.values() for name in dict.fromkeys(side)]
    return {
        side: [name for name in dict.fromkeys(who) if everyone.count(name) == 1]
        for side, who in sides.items()
    }


def _names(text: str, names: Sequence[str]) -> Iterator[str]:
    for piece in re.split(r"[,;\uff0c\uff1b\u3001]", text):
        whole = named(piece, names)
        for each in [piece] if whole else re.split(r"\s(?:and|&)\s", piece):
            if name := named(each, names):
                yield name


def _dissent(text: str, names: Sequence[str]) -> list[Dissent]:
    """Lines that begin with somebody's name; what follows without one belongs to who was named last."""
    found: dict[str, list[str]] = {}
    last = ""
    for line in text.splitlines():
        plain = _BULLET.sub("", line).strip()
        name = _begins(plain, names)
        if name:
            last, plain = name, plain.lstrip("*_[\"' ")[len(name) :].lstrip("*_]\"':\u2013\u2014- ")
        if last and plain:
            found.setdefault(last, []).append(plain)
    return [Dissent(name, " ".join(words)) for name, words in found.items()]


def _begins(line: str, names: Iterable[str]) -> str:
    start = line.lstrip("*_[\"' ").casefold()
    for name in sorted(names, key=len, reverse=True):
        rest = start[len(name) :]
        if start.startswith(name.casefold()) and not rest[:1].isalnum():
            return name
    return ""


def _confidence(text: str) -> tuple[Confidence, str]:
    sure = _SURE.match(text)
    if sure is None:
        return "", text
    return cast(Confidence, sure[1].casefold()), text[sure.end() :].strip()
