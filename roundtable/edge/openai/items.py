"""The items of a Responses request, and how they read as messages of a chat completion."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from protocol.errors import Invalid
from roundtable.edge.openai.messages import (
    AssistantMessage,
    Called,
    CalledFunction,
    ChatMessage,
    DeveloperMessage,
    Strict,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)


class InputText(Strict, frozen=True, tag="input_text", tag_field="type"):
    """Text of a person's."""

    text: str


class OutputText(Strict, frozen=True, tag="output_text", tag_field="type"):
    """Text of a model's, with all that our own answers have."""

    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class Refusal(Strict, frozen=True, tag="refusal", tag_field="type"):
    """What a model would not say."""

    refusal: str


class ReasoningText(Strict, frozen=True, tag="reasoning_text", tag_field="type"):
    """What a model thought; it is taken back and not read."""

    text: str


Part = InputText | OutputText | Refusal | ReasoningText
Content = str | list[Part]


class Item(Strict, frozen=True):
    """An item of the input. Without a type it is a message."""

    type: Literal["message", "function_call", "function_call_output", "reasoning"] = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: Content | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: Content | None = None
    id: str | None = None
    status: str | None = None
    phase: str | None = None
    summary: list[Any] | None = None
    encrypted_content: str | None = None


def messages(items: Sequence[Item]) -> Iterator[ChatMessage]:
    """The items as messages. Raises `Invalid` naming what one lacks."""
    said: AssistantMessage | None = None  # a message and the calls behind it are one message of a chat
    for index, item in enumerate(items):
        where = f"input[{index}]"
        if item.type == "reasoning":
            continue
        if item.type == "function_call":
            before = said or AssistantMessage()
            calls = [*(before.tool_calls or ()), _called(item, where)]
            said = msgspec.structs.replace(before, tool_calls=calls)
            continue
        if said is not None:
            yield said
        said = None
        message = _output(item, where) if item.type == "function_call_output" else _message(item, where)
        if isinstance(message, AssistantMessage):
            said = message
        else:
            yield message
    if said is not None:
        yield said


def _message(item: Item, where: str) -> ChatMessage:
    content = [TextPart(text=_text(_given(item.content, f"{where}.content")))]
    match item.role:
        case "user":
            return UserMessage(content=content)
        case "assistant":
            return AssistantMessage(content=list(content))
        case "system":
            return SystemMessage(content=content)
        case "developer":
            return DeveloperMessage(content=content)
        case None:
            raise _missing(f"{where}.role")


def _called(item: Item, where: str) -> Called:
    return Called(
        id=_given(item.call_id, f"{where}.call_id"),
        function=CalledFunction(
            name=_given(item.name, f"{where}.name"), arguments=_given(item.arguments, f"{where}.arguments")
        ),
    )


def _output(item: Item, where: str) -> ToolMessage:
    told = _text(_given(item.output, f"{where}.output"))
    return ToolMessage(content=told, tool_call_id=_given(item.call_id, f"{where}.call_id"))


def _text(content: str | Sequence[Part]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.refusal if isinstance(part, Refusal) else part.text for part in content)


def _given(value: Any, where: str) -> Any:
    if value is None:
        raise _missing(where)
    return value


def _missing(where: str) -> Invalid:
    return Invalid(f"Missing required parameter: {where!r}.", field=where, code="missing_required_parameter")
