"""JSON as models write it: the same values, with the slips that leave no doubt about what is meant.

Single or curly quotes, a comma too many, comments, keys without quotes, `True` and `None`, line breaks inside a string.
What would have to be guessed is refused: a quote inside a string that is not escaped, a text that ends too early.
"""

import json
import re
from collections.abc import Iterator

# Levels of brackets: nothing that is asked for needs more than four, and each may be read to the end of the text.
_DEEPEST = 8
_TOKEN = re.compile(
    r"""\s*+(?>(?:\#|//)[^\n]*+\s*+)*+
    (?:(?P<mark>[{}\[\]:,])
    |(?P<text>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|[\u201c\u201e][^\u201c-\u201e]*+[\u201c\u201d])
    |(?P<number>-?\d{1,15}(?:\.\d{1,15})?(?![\w.]))
    |(?P<word>[^\W\d]\w{0,99}))""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"true": True, "false": False, "null": None, "None": None, "True": True, "False": False}
_Tokens = Iterator[tuple[str, str, int]]


class Slip(ValueError):
    """It is no such value."""


def decode(text: str, at: int) -> tuple[object, int]:
    """The value that begins at `at`, and where it ends. Raises `Slip`."""
    tokens = _tokens(text, at)
    return _value(tokens, next(tokens), 0)


def _tokens(text: str, at: int) -> _Tokens:
    while found := _TOKEN.match(text, at):
        at = found.end()
        kind = found.lastgroup or ""
        yield kind, found[kind], at
    raise Slip(f"{text[at : at + 20]!r} cannot be read." if text[at:].strip() else "It ends too early.")


def _value(tokens: _Tokens, token: tuple[str, str, int], depth: int) -> tuple[object, int]:
    kind, said, end = token
    if kind == "mark" and said in "{[" and depth < _DEEPEST:
        return (_object if said == "{" else _list)(tokens, depth + 1)
    if kind == "text":
        return _unquoted(said), end
    if kind == "number":
        return float(said) if "." in said else int(said), end
    if kind == "word" and said in _WORDS:
        return _WORDS[said], end
    raise Slip(f"{said[:20]!r} is no value.")


def _object(tokens: _Tokens, depth: int) -> tuple[object, int]:
    found: dict[str, object] = {}
    while (key := next(tokens))[1] != "}" or key[0] != "mark":
        if key[0] not in ("text", "word") or next(tokens)[1] != ":":
            raise Slip(f"{key[1][:20]!r} is no key.")
        name = _unquoted(key[1]) if key[0] == "text" else key[1]
        found[name], _ = _value(tokens, next(tokens), depth)
        if (after := next(tokens))[1] == "}":
            return found, after[2]
        _comma(after)
    return found, key[2]


def _list(tokens: _Tokens, depth: int) -> tuple[object, int]:
    found: list[object] = []
    while (token := next(tokens))[1] != "]" or token[0] != "mark":
        found.append(_value(tokens, token, depth)[0])
        if (after := next(tokens))[1] == "]":
            return found, after[2]
        _comma(after)
    return found, token[2]


def _comma(token: tuple[str, str, int]) -> None:
    if token[0] != "mark" or token[1] != ",":
        raise Slip(f"A comma is missing before {token[1][:20]!r}.")


def _unquoted(said: str) -> str:
    """What is between the quotes."""
    inner = said[1:-1]
    if said[0] != '"':
        inner = inner.replace("\\'", "'").replace('\\"', '"').replace('"', '\\"')
    try:
        text: str = json.loads(f'"{inner}"', strict=False)
        text.encode()
    except ValueError as error:
        raise Slip(f"{said[:20]!r} cannot be read: {error}") from None
    return text
