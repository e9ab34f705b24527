"""JSON out of what a model wrote around it. Everything else a reader needs, it asks of the transcript."""

import re
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from roundtable.deliberation import loose

T = TypeVar("T")

# Places in an answer at which an object is looked for, the last ones: a form has a tenth of that, and each that is none
# may be read to the end of the text.
_MOST = 2_000
_OPENING = re.compile(r"""\{(?=\s*+(?:["'}\u201c\u201e]|[^\W\d]\w{0,99}\s*+:))""")
# What models put around a name.
_MARKS = " \t\r\n\"'`*_[](){}.:,"


class Unread(Exception):
    """The answer is not what was asked for. `detail` is a sentence for the model, and for people."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def parse(text: str, kind: type[T]) -> T:
    """The last JSON object in the text that is a `kind`. Raises `Unread`, and says what is wrong with the last one."""
    found, slip = _objects(text)
    wrong = ""
    for candidate in reversed(found):
        try:
            return msgspec.convert(candidate, kind)
        except msgspec.MsgspecError as error:
            wrong = wrong or f"The JSON object is not as asked: {error}."
    raise Unread(wrong or f"There is no JSON object in the answer. {slip}".strip())


def named(said: str, names: Iterable[str]) -> str | None:
    """The name that is meant: as it is written but for case, marks and blanks around it, and what is said of it in
    brackets; None when it is nobody's."""
    known = {name.casefold(): name for name in names}
    found = (known.get(each.strip(_MARKS).casefold()) for each in (said, said.partition("(")[0]))
    return next((name for name in found if name is not None), None)


def one_line(text: str, most: int) -> str:
    """The text on one line, no longer than `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}\u2026"


def plain(said: object) -> str:
    """What was asked for as a few words, however it came: a number, or several in a list. Empty for anything else."""
    if isinstance(said, list):
        return "; ".join(filter(None, map(plain, said)))
    return str(said) if isinstance(said, str | int | float) and not isinstance(said, bool) else ""


def _objects(text: str) -> tuple[list[object], str]:
    """Objects in the text, outermost ones, in order, and behind one that holds nothing but another, that one; and what
    is wrong with the last that is none."""
    found, slip, end = list[object](), "", 0
    for at in [each.start() for each in _OPENING.finditer(text)][-_MOST:]:
        if at < end:
            continue
        try:
            value, end = loose.decode(text, at)
        except loose.Slip as wrong:
            slip = str(wrong)
            continue
        found.append(value)
        if isinstance(value, dict) and len(value) == 1:
            found += (inner for inner in value.values() if isinstance(inner, dict))
    return found, slip
