"""What may be asked of `/v1/responses`, and how it reads as a chat completion: what both have has one meaning here.

Nothing is stored, so all that refers to a stored response or conversation is refused by name.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from protocol.errors import Invalid
from roundtable.edge.openai import request as asking
from roundtable.edge.openai.items import Item, messages
from roundtable.edge.openai.messages import ChatMessage, Strict, SystemMessage, UserMessage
from roundtable.edge.openai.request import (
    ChatRequest,
    Chosen,
    FunctionSpec,
    FunctionTool,
    Labels,
    Named,
    Ours,
)

_LOGPROBS = "message.output_text.logprobs"


class Tool(FunctionSpec, frozen=True):
    """A function, as this API writes it."""

    type: Literal["function"] = "function"


class Choice(Strict, frozen=True):
    """The one function that must be called."""

    type: Literal["function"]
    name: str


class Format(Strict, frozen=True):
    """What the text is to be."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class Text(Strict, frozen=True):
    """How it is to be said."""

    format: Format | None = None
    verbosity: str | None = None


class Reasoning(Strict, frozen=True):
    """How much is to be thought. What is shown of it is the provider's to say (`roundtable.options`)."""

    effort: str | None = None
    summary: None = None
    generate_summary: None = None


class StreamOptions(Strict, frozen=True):
    """It changes nothing: nothing is obfuscated here."""

    include_obfuscation: bool | None = None


class ResponsesRequest(Labels, frozen=True):
    """The body of `POST /v1/responses`."""

    model: Annotated[str, Meta(min_length=1)]
    input: str | Annotated[list[Item], Meta(min_length=1)]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    tools: Annotated[list[Tool], Meta(max_length=asking.MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | Choice | None = None
    parallel_tool_calls: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    text: Text | None = None
    reasoning: Reasoning | None = None
    service_tier: str | None = None
    roundtable: Ours = Ours()
    # Encrypted reasoning is not given: there is none to give.
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = None
    store: bool | None = None
    background: bool | None = None
    truncation: Literal["disabled"] | None = None
    conversation: None = None
    previous_response_id: None = None
    prompt: None = None
    max_tool_calls: None = None
    context_management: None = None
    moderation: None = None
    image: None = None
    access_programs: None = None


_decoder = msgspec.json.Decoder(ResponsesRequest)
# Our reading of a chat completion's parameter, by its name here.
_NAMES = {
    "messages": "input",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
    "logprobs": "include",
}


def decode(body: bytes) -> ResponsesRequest:
    """The request. Raises `Invalid` naming the parameter."""
    asked: ResponsesRequest = asking.worded(body, _decoder)
    for name in ("store", "background"):
        if getattr(asked, name):
            raise Invalid(
                "No response is kept here once it was given.", field=name, code="unsupported_parameter"
            )
    return asked


def chat(asked: ResponsesRequest) -> ChatRequest:
    """The same as a chat completion. Raises `Invalid`."""
    text, reasoning = asked.text or Text(), asked.reasoning or Reasoning()
    logprobs = _LOGPROBS in (asked.include or ())
    told = ChatRequest(
        model=asked.model,
        messages=list(_messages(asked)),
        stream=asked.stream,
        max_completion_tokens=asked.max_output_tokens,
        tools=[_tool(tool) for tool in asked.tools or ()],
        tool_choice=_choice(asked.tool_choice),
        roundtable=asked.roundtable,
        temperature=asked.temperature,
        top_p=asked.top_p,
        logprobs=logprobs or None,
        top_logprobs=asked.top_logprobs if logprobs else None,
        response_format=_format(text.format),
        parallel_tool_calls=asked.parallel_tool_calls,
        reasoning_effort=reasoning.effort,
        verbosity=text.verbosity,
        service_tier=asked.service_tier,
    )
    return asking.checked(told)


def parameter(chat_parameter: str) -> str:
    """The name here of a chat completion's parameter."""
    first, dot, rest = chat_parameter.partition("[")
    return _NAMES.get(first, first) + (dot + rest if first not in _NAMES else "")


def echo(asked: ResponsesRequest) -> dict[str, Any]:
    """What of a request its response repeats."""
    text, reasoning = asked.text or Text(), asked.reasoning or Reasoning()
    return {
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata or {},
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": reasoning.effort, "summary": None},
        "store": False,
        "temperature": asked.temperature,
        "text": {"format": text.format or Format(type="text"), "verbosity": text.verbosity},
        "tool_choice": asked.tool_choice or "auto",
        "tools": asked.tools or [],
        "top_logprobs": asked.top_logprobs,
        "top_p": asked.top_p,
        "truncation": "disabled",
    }


def _messages(asked: ResponsesRequest) -> Iterator[ChatMessage]:
    if asked.instructions:
        yield SystemMessage(content=asked.instructions)
    if isinstance(asked.input, str):
        yield UserMessage(content=asked.input)
    else:
        yield from messages(asked.input)


def _tool(tool: Tool) -> FunctionTool:
    spec = FunctionSpec(
        name=tool.name, description=tool.description, parameters=tool.parameters, strict=tool.strict
    )
    return FunctionTool(type="function", function=spec)


def _choice(choice: str | Choice | None) -> Any:
    return Chosen(type="function", function=Named(name=choice.name)) if isinstance(choice, Choice) else choice


def _format(wanted: Format | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    members = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
    kind = members.pop("type")
    return {"type": kind, kind: members} if members else {"type": kind}
