"""From a conversation to the text a model was trained to continue: its own chat template, or a plain one.

The template comes with the file and is as untrusted as the file; it is rendered in the child, in a sandbox.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from protocol.messages import Role

Template = Callable[[list[dict[str, str]]], str]
Conversation = Sequence[tuple[Role, str]]

# For a file without a template, which is a model that was trained on no conversation: headings as in Alpaca's
# instructions (github.com/tatsu-lab/stanford_alpaca), which base models continue;
# the answer ends where it would go on as `user`.
PLAIN_STOPS = ("\n### User:",)
_PLAIN = {"user": "### User:\n", "assistant": "### Assistant:\n"}


class Refused(Exception):
    """The template does not render this conversation, whichever way it is put."""


def render(template: Template | None, system: str, conversation: Conversation) -> str:
    """The prompt. Raises `Refused`.

    A template that knows no system role raises, or leaves it out: then the system text goes before the first message.
    """
    if template is None:
        return plain(system, conversation)
    said: list[dict[str, str]] = [{"role": role, "content": text} for role, text in conversation]
    ways = [[{"role": "system", "content": system}, *said]] if system else []
    ways.append(_folded(system, said))
    reason = ""
    for way in ways:
        try:
            prompt = template(way)
        except Exception as error:  # noqa: BLE001 - a template is a program; whatever it raises, it does not render
            reason = reason or f"{type(error).__name__}: {error}"
            continue
        if way[0]["role"] != "system" or system.strip() in prompt:
            return prompt
    raise Refused(reason)


def plain(system: str, conversation: Conversation) -> str:
    """The prompt for a model without a template."""
    parts = [system] if system else []
    parts += [_PLAIN[role] + text for role, text in conversation]
    return "\n\n".join([*parts, _PLAIN["assistant"]])


def _folded(system: str, said: list[dict[str, str]]) -> list[dict[str, str]]:
    if not system:
        return said
    return [{"role": "user", "content": f"{system}\n\n{said[0]['content']}"}, *said[1:]]


class Neutral:
    """Makes plain text of a model's control tokens, where somebody wrote them into what they said.

    Without it a contribution could end its own message and begin another, in any role.
    """

    def __init__(self, control: Iterable[str]) -> None:
        texts = sorted((text for text in control if len(text) > 1), key=len, reverse=True)  # the longest wins
        # Models have hundreds; looking at the first character spares trying them all at every place.
        first = "".join(re.escape(char) for char in sorted({text[0] for text in texts}))
        choice = "|".join(map(re.escape, texts))
        self._pattern = re.compile(f"(?=[{first}])(?:{choice})") if texts else None

    def __call__(self, text: str) -> str:
        """The text with a zero-width space (U+200B) after the first character of each control token."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: f"{found[0][0]}\u200b{found[0][1:]}", text)
