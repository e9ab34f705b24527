"""The messages of a chat completion, and what they are to a model: instructions, and a conversation."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from protocol.errors import Invalid
from protocol.messages import Call, Message


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing but what is named."""


class TextPart(Strict, frozen=True, tag="text", tag_field="type"):
    """Text."""

    text: str


class RefusalPart(Strict, frozen=True, tag="refusal", tag_field="type"):
    """What an assistant would not say."""

    refusal: str


class SystemMessage(Strict, frozen=True, tag="system", tag_field="role"):
    """Instructions."""

    content: str | list[TextPart]
    name: str | None = None


class DeveloperMessage(Strict, frozen=True, tag="developer", tag_field="role"):
    """Instructions, by their newer name."""

    content: str | list[TextPart]
    name: str | None = None


class UserMessage(Strict, frozen=True, tag="user", tag_field="role"):
    """What a person says."""

    content: str | list[TextPart]
    name: str | None = None


class CalledFunction(Strict, frozen=True):
    """A function and its arguments, as the model wrote them."""

    name: str
    arguments: str
    parsed_arguments: Any = None  # what OpenAI's package adds to answers it has put together


class Called(Strict, frozen=True):
    """A call that was made."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"
    index: int | None = None  # echoed by clients that put a stream together


class AssistantMessage(Strict, frozen=True, tag="assistant", tag_field="role"):
    """What a model said; with all that our own answers have, since clients send them back whole."""

    content: str | list[TextPart | RefusalPart] | None = None
    refusal: str | None = None
    tool_calls: list[Called] | None = None
    name: str | None = None
    audio: None = None
    function_call: None = None
    annotations: list[Any] | None = None
    reasoning_content: str | None = None
    parsed: Any = None  # as with `parsed_arguments`


class ToolMessage(Strict, frozen=True, tag="tool", tag_field="role"):
    """What a call gave."""

    content: str | list[TextPart]
    tool_call_id: str


ChatMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


def system(messages: Sequence[ChatMessage]) -> Iterator[str]:
    """Instructions, wherever they stand in the conversation: our providers take them apart from it."""
    for message in messages:
        if isinstance(message, SystemMessage | DeveloperMessage):
            yield text(message.content)


def conversation(messages: Sequence[ChatMessage]) -> Iterator[Message]:
    """Everything else, in our words. Reasoning that a client sends back is left out."""
    for message in messages:
        match message:
            case UserMessage():
                yield Message("user", text(message.content))
            case ToolMessage():
                yield Message("tool", text(message.content), call=message.tool_call_id)
            case AssistantMessage():
                calls = (
                    Call(call.id, call.function.name, call.function.arguments)
                    for call in message.tool_calls or ()
                )
                yield Message("assistant", text(message.content) or message.refusal or "", tuple(calls))
            case SystemMessage() | DeveloperMessage():
                pass


def text(content: str | Sequence[TextPart | RefusalPart] | None) -> str:
    """A content's words."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text if isinstance(part, TextPart) else part.refusal for part in content)


def check_calls(messages: Sequence[ChatMessage]) -> None:
    """Every call is answered, right behind it and once; nothing else is. No vendor takes less. Raises `Invalid`."""
    open_calls = set[str]()
    for index, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in open_calls:
                raise Invalid(
                    f"{message.tool_call_id[:60]!r} answers no call of the assistant's message before it.",
                    field=f"messages[{index}].tool_call_id",
                )
            open_calls.remove(message.tool_call_id)
        elif open_calls:
            break
        elif isinstance(message, AssistantMessage):
            open_calls = {call.id for call in message.tool_calls or ()}
    if open_calls:
        missing = ", ".join(sorted(open_calls))
        raise Invalid(f"No tool message answers these calls: {missing[:200]}.", field="messages")
