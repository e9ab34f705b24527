"""Where a sentence ends, in text that is still being written. Pure.

An end is certain only once it is seen what follows: `3.` may go on as `3.14`, `e.g.` never ends one, and a quotation
mark belongs to what it closes. A line's end is one; Chinese and Japanese full stops need no blank behind them.
"""

import re

# Behind these a full stop is part of the word, in the languages that our panels are mostly held in.
_SHORT = frozenset(
    (  # noqa: SIM905 - as a list of strings it cannot be read
        "al approx av bzw ca cf d.h dr e.g eq fig figs gen gov hon i.e incl mr mrs ms nr p pp prof resp rev sog st "
        "u.a usw vgl viz vs z.b"
    ).split()
)
# How far back an end is looked for: it may stand at the very end of what was said before. Characters.
_BACK = 200
_CLOSERS = r"[\"'”’»›)\]}*_`」』）】〉》]*+"
_END = re.compile(
    rf"[。！？｡]++{_CLOSERS}(?=[^。！？｡])"  # wide ones stand alone
    rf"|[.!?…؟।]++{_CLOSERS}(?=\s+\S)"  # others are followed by a blank, and by what does not go on
    r"|(?<=\S)(?=\s*\n)"
)
_WORD = re.compile(r"[^\s(\[{\"'“‘«]*\Z")


def end_of_sentence(text: str, after: int) -> int | None:
    """The first place, not before `after`, where a sentence of the text has certainly ended; None while there is none.

    It is `after` itself where what follows shows that one had ended there, or before the blanks there.
    """
    for match in _END.finditer(text, max(0, after - _BACK)):
        end = match.end()
        if (end >= after or not text[end:after].strip()) and not _goes_on(text, match):
            return max(end, after)
    return None


def _goes_on(text: str, match: re.Match[str]) -> bool:
    """Whether a mark ends no sentence: what follows begins small, or it belongs to a short form or a number in a
    list."""
    mark = match.group()
    if not mark or mark[0] not in ".!?…؟।":
        return False
    rest = text[match.end() : match.end() + _BACK].lstrip()
    if rest[:1].islower() and "\n" not in text[match.end() : len(text) - len(rest)]:
        return True
    if mark[0] != "." or mark.startswith(".."):
        return False
    before = text[max(0, match.start() - _BACK) : match.start()]
    found = _WORD.search(before)
    word = found.group() if found else ""
    if word.isdigit():  # `1. First`
        return not before[: -len(word)].rpartition("\n")[2].strip()
    return word.casefold() in _SHORT or (len(word) == 1 and word.isalpha())
