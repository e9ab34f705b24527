"""Answers laid before whoever ranks them: without their authors, in an order that is drawn; and the ranking she gives.

A judge prefers what she is shown first, what is longer, and what she wrote herself. So each judge has an order of her
own, labels go by place and not by author, and names inside the answers are changed like those above them.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from protocol import kinds
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import record
from roundtable.deliberation.answers import Unread, parse
from roundtable.deliberation.brief import Brief, renamed, subject
from roundtable.deliberation.fences import fenced

# Characters of all answers together, an equal share each: some 12,000 tokens, which most windows hold beside the rest.
ROOM = 48_000
# Tokens of a ranking: the form takes a hundred, but models that think first are cut by the same limit.
MOST_TOKENS = 4_096
# As many as there are letters to call them by, which is twice the seats of a table.
MOST_ANSWERS = 26

_TASK = """\
{answers}

These are {count} answers to {subject}. Nobody is told who \
wrote which, and their order is drawn by lot. Rank all of them by how well each serves whoever asked: whether it is \
right, whether it gives reasons that hold, and whether it answers what was asked. Neither length nor style is a \
merit.
End with one JSON object that names every answer once, the best first:
{{"ranking": ["Answer ...", "Answer ...", ...]}}"""

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]*_]*(?=\s)|[。！？][」』”’]*|\n")
# `Answer B: clear`, `B.`, `2. answer b`; in another language, as `Antwort B`, with no more behind it.
_LABEL = re.compile(
    r"\W*(?:\d+[.):]\W*)?(?:answer\s+([A-Z])\b.*|([A-Z])\W*|(?-i:[^\W\d_]+\s+([A-Z]))\W*)",
    re.IGNORECASE | re.DOTALL,
)


class _Named(msgspec.Struct):
    answer: str


class _Form(msgspec.Struct):
    ranking: list[str | _Named]


def final(transcript: Transcript) -> dict[str, str]:
    """The last answer of each in this sitting, by author, in seat order: turns of kind `answer` where there are any,
    else whatever was said."""
    said = [turn for turn in record.said(transcript) if turn.status == "completed"]
    return by_author(transcript, [turn for turn in said if turn.kind == kinds.ANSWER] or said)


def by_author(transcript: Transcript, turns: Sequence[Turn]) -> dict[str, str]:
    """The last text of each in these turns, in seat order."""
    texts = {turn.panelist: turn.text.strip() for turn in turns}
    order = [panelist.name for panelist in transcript.panel if panelist.name in texts]
    return {name: texts[name] for name in order[:MOST_ANSWERS]}


def labels(shown: Sequence[str]) -> dict[str, str]:
    """By author, what an answer is called where it stands: `Answer A` is the first."""
    return {name: f"Answer {chr(ord('A') + place)}" for place, name in enumerate(shown)}


def brief(transcript: Transcript, shown: Sequence[str], texts: Mapping[str, str], complaint: str) -> Brief:
    """Asks for a ranking of these answers, in the order of `shown`, and shows nothing else that was said."""
    aliases = labels(shown)
    share = ROOM // max(1, len(shown))
    answers = "\n\n".join(
        fenced("said", renamed(cut(texts[name], share), aliases), by=aliases[name]) for name in shown
    )
    task = _TASK.format(answers=answers, count=len(shown), subject=subject(transcript))
    return Brief(
        task=f"{task}\n\n{complaint}" if complaint else task,
        unheard=frozenset(turn.turn for turn in transcript.turns),
        aliases=aliases,
        clerk=True,
        most=MOST_TOKENS,
    )


def read(text: str, shown: Sequence[str]) -> list[str]:
    """Authors in the order in which their answers are ranked, best first; it may leave some out. Raises `Unread` for
    what names an answer that is not there, or one twice, or fewer than two."""
    authors = {label: name for name, label in labels(shown).items()}
    ranking = list[str]()
    for each in parse(text, _Form).ranking:
        said = each if isinstance(each, str) else each.answer
        found = _LABEL.fullmatch(said)
        author = authors.get(f"Answer {found[found.lastindex or 0].upper()}") if found else None
        if author is None:
            raise Unread(f"There is no answer called {said[:40]!r}.")
        if author in ranking:
            raise Unread(f"{said[:40]} stands in the ranking twice.")
        ranking.append(author)
    if len(ranking) < min(2, len(shown)):
        raise Unread("A ranking needs at least two answers.")
    return ranking


def cut(text: str, most: int) -> str:
    """At most so many characters of the text, up to the end of its last sentence within them, or else of a word."""
    if len(text) <= most:
        return text
    ends = [found.end() for found in _SENTENCE_END.finditer(text, 0, most + 1) if found.end() <= most]
    if ends:
        return text[: ends[-1]].rstrip()
    return text[:most].rpartition(" ")[0] or text[:most]
