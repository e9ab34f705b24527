"""JSON out of what a model wrote around it. Everything else a reader needs, it asks of the transcript."""

import json
import re
from collections.abc import Iterable
from typing import TypeVar

import msgspec

T = TypeVar("T")

# How deep a decoder goes into a model's brackets. Nothing that is asked for needs more than four levels.
_DEEPEST = 32
# How many places in an answer are looked at, the last ones: a form has a tenth of that, and each that is none costs a
# decoder all that stands before it.
_MOST = 2_000
_OPENING = re.compile(r'\{\s*["}]')
_BRACKET = re.compile(r"[{}\[\]]")


class Unread(Exception):
    """The answer is not what was asked for. `detail` is a sentence for the model, and for people."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def parse(text: str, kind: type[T]) -> T:
    """The last JSON object in the text that is a `kind`. Raises `Unread`, and says what is wrong with the last one."""
    wrong = "There is no JSON object in the answer."
    for candidate in reversed(list(_objects(text))):
        try:
            return msgspec.json.decode(candidate, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if wrong.startswith("There is no"):
                wrong = f"The JSON object is not as asked: {error}."
    raise Unread(wrong)


def named(said: str, names: Iterable[str]) -> str | None:
    """The name that is meant: as it is written but for case, marks and blanks around it; None when it is nobody's."""
    plain = said.strip(" \t\r\n\"'`*_[](){}.:,").casefold()
    return next((name for name in names if name.casefold() == plain), None)


def one_line(text: str, most: int) -> str:
    """The text on one line, no longer than `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}\u2026"


def _objects(text: str) -> Iterable[str]:
    """Stretches that begin and end as an object, outermost ones, in order."""
    decoder, end = json.JSONDecoder(), 0
    for at in [found.start() for found in _OPENING.finditer(text)][-_MOST:]:
        if at < end or _depth(text, at) > _DEEPEST:
            continue
        try:
            _, end = decoder.raw_decode(text, at)
            yield text[at:end]
        except (ValueError, RecursionError):
            continue


def _depth(text: str, at: int) -> int:
    """How many brackets open one after the other, at the most, from there on; quotes are not looked at. No further than
    that is too deep: whoever writes nothing but brackets would have each of them looked at from every other."""
    deepest = depth = 0
    for bracket in _BRACKET.finditer(text, at, at + 100_000):
        if bracket[0] in "{[":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > _DEEPEST:
                break
        else:
            depth -= 1
            if depth == 0:
                break
    return deepest
