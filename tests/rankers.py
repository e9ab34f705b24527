"""Voices that take part in a council: each has an answer, and ranks what it is shown by what it thinks of the texts."""

import json
import re
from collections.abc import Callable, Sequence

from providers.base import Request
from tests.scene import Script, Step

SHOWN = re.compile(r'<said by="(Answer [A-Z])">(.*?)</said>', re.DOTALL)
"""Labels and texts of answers in a prompt."""
Taste = Callable[[list[tuple[str, str]]], list[str]]
"""From labels and texts as they are shown to labels, the best first."""


def prompt(request: Request) -> str:
    """All that was sent."""
    return "\n".join([request.system, *(message.text for message in request.messages)])


def shown(request: Request) -> list[tuple[str, str]]:
    """Labels and texts of the answers to be ranked, in order; none when something else is asked."""
    return SHOWN.findall(request.messages[-1].text) if "drawn by lot" in request.messages[-1].text else []


def ballot(ranking: Sequence[str]) -> str:
    return json.dumps({"ranking": list(ranking)})


def by(key: Callable[[str], float]) -> Taste:
    """Prefers texts of which that is least."""
    return lambda answers: [label for label, text in sorted(answers, key=lambda pair: key(pair[1]))]


def first(answers: list[tuple[str, str]]) -> list[str]:
    """Prefers whatever stands first."""
    return [label for label, _ in answers]


def longest(answers: list[tuple[str, str]]) -> list[str]:
    """Prefers whatever is longest."""
    return by(lambda text: -len(text))(answers)


def liking(*texts: str) -> Taste:
    """Prefers texts in this order, by how they begin."""
    return by(lambda text: next(place for place, each in enumerate([*texts, ""]) if text.startswith(each)))


def voice(answer: str, taste: Taste, *, verdict: str = "So it is.") -> Script:
    """Who answers with `answer`, ranks by `taste`, and sums up in the end."""

    def said(request: Request) -> Sequence[Step]:
        if answers := shown(request):
            return [f"Let me see. {ballot(taste(answers))}"]
        return [verdict if "The discussion is over." in request.messages[-1].text else answer]

    return said
