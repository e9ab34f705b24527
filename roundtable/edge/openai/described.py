"""OpenAI's streams and responses as Structs: nothing is written with them, the document describes with them what the
views write, and a test holds both together. Source: the types of OpenAI's own packages.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from protocol.messages import Logprob
from protocol.views.openai import CompletionUsage, FinishReason, Logprobs
from protocol.views.openai_chunks import Head
from roundtable.edge.openai.errors import ErrorBody

Done = Literal["[DONE]"]


class CallFragment(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a call: `id`, `type` and the function's name stand in its first part only."""

    index: int
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET
    function: dict[str, str]


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """What is new."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    refusal: UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[CallFragment] | UnsetType = UNSET


class ChunkChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The one answer there is."""

    index: int
    delta: Delta
    logprobs: Logprobs | None
    finish_reason: FinishReason | None


class ChatChunk(Head, frozen=True, kw_only=True):
    """One event of a completion; with `include_usage` the last has no choice, and every other a null `usage`."""

    choices: list[ChunkChoice]
    usage: CompletionUsage | UnsetType | None = UNSET


CHUNKS = ChatChunk | ErrorBody | Done
"""The data of a completion's stream; an error is the last."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Text of an item."""

    type: Literal["output_text", "reasoning_text"]
    text: str
    annotations: list[Any] | UnsetType = UNSET
    logprobs: list[Logprob] | UnsetType = UNSET


class OutputItem(msgspec.Struct, frozen=True, kw_only=True):
    """The message, what was thought before it, or a call."""

    id: str
    type: Literal["message", "reasoning", "function_call"]
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    role: Literal["assistant"] | UnsetType = UNSET
    content: list[Part] | UnsetType = UNSET
    summary: list[Any] | UnsetType = UNSET
    call_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class ResponseUsage(msgspec.Struct, frozen=True):
    """Tokens read and written."""

    input_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens: int
    output_tokens_details: dict[str, int]
    total_tokens: int


class ResponseError(msgspec.Struct, frozen=True):
    """Why it failed."""

    code: str
    message: str


class ResponseObject(msgspec.Struct, frozen=True, kw_only=True):
    """A response; what it was asked with is repeated in it. `roundtable` is ours."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    error: ResponseError | None
    incomplete_details: dict[str, str] | None
    model: str
    output: list[OutputItem]
    usage: ResponseUsage | None
    roundtable: dict[str, Any] | UnsetType = UNSET


class ResponseEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The response as it stands: how it begins, and at last how it ended."""

    type: Literal[
        "response.created", "response.in_progress", "response.completed", "response.incomplete",
        "response.failed",
    ]  # fmt: skip
    sequence_number: int
    response: ResponseObject


class ItemEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An item begins, or is done."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    sequence_number: int
    output_index: int
    item: OutputItem


class PartEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an item begins, or is done."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    part: Part


class TextEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of a part (`delta`), or all of it (`text`)."""

    type: Literal[
        "response.output_text.delta", "response.output_text.done",
        "response.reasoning_text.delta", "response.reasoning_text.done",
    ]  # fmt: skip
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    delta: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    logprobs: list[Logprob] | UnsetType = UNSET


class ArgumentsEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of a call's arguments (`delta`), or all of them."""

    type: Literal["response.function_call_arguments.delta", "response.function_call_arguments.done"]
    sequence_number: int
    item_id: str
    output_index: int
    delta: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET
    name: str | UnsetType = UNSET


EVENTS = ResponseEvent | ItemEvent | PartEvent | TextEvent | ArgumentsEvent
"""The data of a response's stream."""
