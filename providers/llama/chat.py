"""From a conversation to the text a model was trained to continue: its own chat template, or a plain one.

The template comes with the file and is as untrusted as the file; it is rendered in the child, in a sandbox.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from protocol.errors import Invalid
from protocol.messages import Call, Message, ToolSpec
from providers.calling import NO_PARAMETERS, arguments, names
from providers.llama import calls

S = TypeVar("S", bound=msgspec.Struct)
Written = dict[str, Any]
Template = Callable[[list[Written], list[Written]], str]
"""Messages and tools, as in Chat Completions but with a call's arguments as an object, to a prompt."""

# For a file without a template, which is a model that was trained on no conversation: headings as in Alpaca's
# instructions (github.com/tatsu-lab/stanford_alpaca), which base models continue;
# the answer ends where it would go on as `user`.
PLAIN_STOPS = ("\n### User:",)
_PLAIN = {"user": "### User:\n", "assistant": "### Assistant:\n"}


class Refused(Exception):
    """The model does not take this, whichever way it is put; in a sentence."""


class TooLong(Exception):
    """There are more tokens than fit, by far: in a sentence."""


def render(
    template: Template | None, system: str, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()
) -> str:
    """The prompt. Raises `Refused`.

    A template that knows no system role raises, or leaves it out: then the system text goes before the first message.
    One that leaves out the tools, or their results, is refused: the model would never hear of them.
    """
    if template is None:
        if tools or any(message.calls or message.call for message in messages):
            raise Refused("It has no chat template, and so no way to be told of tools")
        return plain(system, messages)
    called = names(tuple(messages))
    said = [_written(message, called) for message in messages]
    known = [_spec(tool) for tool in tools]
    prompt = _rendered(template, system, said, known)
    if tools:
        _check_tools(prompt, _rendered(template, system, said, []))
    unheard = [{**one, "content": ""} if one["role"] == "tool" else one for one in said]
    if unheard != said and _rendered(template, system, unheard, known) == prompt:
        raise Refused("Its chat template leaves out the results of tools")
    return prompt


def plain(system: str, messages: Sequence[Message]) -> str:
    """The prompt for a model without a template."""
    parts = [system] if system else []
    parts += [_PLAIN[message.role] + message.text for message in messages]
    return "\n\n".join([*parts, _PLAIN["assistant"]])


def _rendered(template: Template, system: str, said: list[Written], tools: list[Written]) -> str:
    ways = [[{"role": "system", "content": system}, *said]] if system else []
    ways.append(_folded(system, said))
    reason = ""
    for way in ways:
        try:
            prompt = template(way, tools)
        except Exception as error:  # noqa: BLE001 - a template is a program; whatever it raises, it does not render
            reason = reason or f"{type(error).__name__}: {error}"
            continue
        if way[0]["role"] != "system" or system.strip() in prompt:
            return prompt
    raise Refused(f"Its chat template does not take this conversation: {reason}")


def _folded(system: str, said: list[Written]) -> list[Written]:
    if not system:
        return said
    if not said or said[0]["role"] != "user":
        return [{"role": "user", "content": system}, *said]
    return [{"role": "user", "content": f"{system}\n\n{said[0]['content']}"}, *said[1:]]


def _check_tools(prompt: str, without: str) -> None:
    """Whether the template tells of the tools, and has them called in the way that `calls` reads."""
    if prompt == without:
        raise Refused("Its chat template knows no tools")
    if prompt.count(calls.OPEN) <= without.count(calls.OPEN) or "<function=" in prompt:
        raise Refused(f"Its chat template has tools called otherwise than as JSON in {calls.OPEN}")


def _written(message: Message, called: Mapping[str, str]) -> Written:
    if message.role == "tool":
        about = {"tool_call_id": message.call, "name": called[message.call]}
        return {"role": "tool", "content": message.text, **about}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    made = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call)}}
        for call in message.calls
    ]
    return {"role": message.role, "content": message.text, "tool_calls": made}


def _arguments(call: Call) -> Written:
    try:
        return arguments(call)
    except Invalid as error:
        raise Refused(error.detail.rstrip(".")) from error


def _spec(tool: ToolSpec) -> Written:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters or NO_PARAMETERS,
    }
    return {"type": "function", "function": function}


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

    def everywhere(self, value: S) -> S:
        """A message or a tool with all its texts made plain, however deep they are."""
        written = msgspec.to_builtins(value)
        plain = {name: self._deep(member) for name, member in written.items() if name != "role"}
        return msgspec.convert({**written, **plain}, type(value))

    def _deep(self, value: Any) -> Any:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self(name): self._deep(member) for name, member in value.items()}
        return [self._deep(member) for member in value] if isinstance(value, list | tuple) else value
