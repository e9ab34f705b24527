"""The Messages dialect over the official SDK: the client and the request.

What comes back is read by `messages_api.py` from the raw bytes.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2

from protocol.messages import Message, ToolSpec
from providers.base import Request
from providers.calling import NO_PARAMETERS, arguments
from providers.connection import TIMEOUT, settings
from providers.messages_api import MessagesAnswer
from providers.messages_options import read_messages
from providers.presets import Preset
from providers.server import Errors, ModelServer

_CACHED = {"cache_control": {"type": "ephemeral"}}
_CHOICES = {"auto": "auto", "required": "any"}
_ERRORS = Errors(
    anthropic.AnthropicError,
    anthropic.APIStatusError,
    anthropic.APITimeoutError,
    anthropic.APIConnectionError,
)


class _Foreign(anthropic.AsyncAnthropic):
    """For servers that are not Anthropic's: the SDK adds ANTHROPIC_CUSTOM_HEADERS to every request by itself."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._custom_headers = {}


class AnthropicProvider(ModelServer[anthropic.AsyncAnthropic]):
    """One server of this dialect."""

    reader = MessagesAnswer

    def __init__(self, preset: Preset, key: str = "", *, now: Callable[[], float] = time.time) -> None:
        client = (anthropic.AsyncAnthropic if preset.name == "anthropic" else _Foreign)(
            api_key=key or "none",  # else the SDK takes what it finds: ANTHROPIC_AUTH_TOKEN, profiles on disk
            base_url=preset.base_url.rstrip("/").removesuffix("/v1"),  # the SDK adds it
            timeout=TIMEOUT,
            max_retries=0,
            open_telemetry=False,  # its spans end with the SDK's reading, which is not used
            http_client=anthropic.DefaultAsyncHttpxClient(**settings(preset)),
        )
        super().__init__(preset, key, client, _ERRORS, now)

    def check(self, options: dict[str, Any]) -> None:
        read_messages(options)

    async def _send(self, request: Request) -> httpx2.Response:
        # `extra_body` is sent as it is and laid over the rest: the SDK checks and copies none of it.
        stream = await self._client.messages.create(
            model=request.model, max_tokens=0, messages=[], stream=True, extra_body=_body(request)
        )
        return stream.response


def _body(request: Request) -> dict[str, Any]:
    """The request, with two marks up to which the vendor may cache it.

    The last message says who has the floor and changes; what is before it begins this panelist's next request too.
    Too short a prompt is not cached, and a mark in it costs nothing.
    """
    options = read_messages(request.options, request.max_tokens)
    body = options.body()
    if request.system:
        body["system"] = [{"type": "text", "text": request.system, **_CACHED}]
    if request.tools:
        body["tools"] = [*map(_tool, request.tools)]
        if choice := _choice(request.tool_choice, parallel=options.parallel_tool_calls):
            body["tool_choice"] = choice
    said = _messages(request.messages)
    for message in said[-2:-1]:
        message["content"][-1].update(_CACHED)
    return {**body, "messages": [_plain(message) for message in said]}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    about = {"description": tool.description} if tool.description else {}
    strict = {"strict": True} if tool.strict else {}
    return {"name": tool.name, **about, "input_schema": tool.parameters or NO_PARAMETERS, **strict}


def _choice(choice: str, *, parallel: bool) -> dict[str, Any] | None:
    """None where it is what the vendor takes for granted."""
    if choice == "none" or (choice == "auto" and parallel):
        return None if choice == "auto" else {"type": "none"}
    found = {"type": _CHOICES[choice]} if choice in _CHOICES else {"type": "tool", "name": choice}
    return found if parallel else {**found, "disable_parallel_tool_use": True}


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """All results of one message's calls belong into one message, and with them what the user says then."""
    said: list[dict[str, Any]] = []
    for message in messages:
        role = "user" if message.role == "tool" else message.role
        if not (said and said[-1]["role"] == role):
            said.append({"role": role, "content": []})
        said[-1]["content"] += _blocks(message)
    return said


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        # The vendor refuses a text of nothing, and takes nothing for a result.
        content = {"content": message.text} if message.text else {}
        yield {"type": "tool_result", "tool_use_id": message.call, **content}
        return
    for image in message.images:
        source = {"type": "base64", "media_type": image.media_type, "data": image.data}
        yield {"type": "image", "source": source}
    if message.text or not message.calls:
        yield {"type": "text", "text": message.text}
    for call in message.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments(call)}


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    """One text by itself needs no block."""
    blocks = message["content"]
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return {"role": message["role"], "content": blocks[0]["text"]}
    return message
