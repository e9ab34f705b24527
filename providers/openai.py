"""The Chat Completions dialect: the request. What comes back is read by `chat_api.py`."""

from typing import Any

import httpx2

from protocol.messages import Message, ToolSpec
from providers.base import Request
from providers.calling import CHOICES, data_url
from providers.chat_api import ChatAnswer
from providers.openai_client import OpenAIServer
from providers.openai_options import read_chat
from providers.options import least


class OpenAIProvider(OpenAIServer):
    """One server of this dialect: OpenAI's own, or one of the many compatible ones."""

    reader = ChatAnswer

    def check(self, options: dict[str, Any]) -> None:
        read_chat(options)

    async def _send(self, request: Request) -> httpx2.Response:
        # `extra_body` is sent as it is and laid over the rest: the SDK checks and copies none of it.
        stream = await self._client.chat.completions.create(
            model=request.model, messages=[], stream=True, extra_body=self._body(request)
        )
        return stream.response

    def _body(self, request: Request) -> dict[str, Any]:
        body = read_chat(request.options).body()
        limit = least(request.max_tokens, body.pop("max_tokens", None))
        if limit is not None:
            body[self._preset.limit] = limit
        if "seed" in body:
            body[self._preset.seed] = body.pop("seed")
        if self._preset.stream_options:
            body["stream_options"] = self._preset.stream_options
        system = [{"role": "system", "content": request.system}] if request.system else []
        if request.tools:
            body["tools"] = [*body.get("tools", ()), *map(_tool, request.tools)]
            if request.tool_choice != "auto":
                body["tool_choice"] = _choice(request.tool_choice)
        said = [_message(message, self._preset.call_extra) for message in request.messages]
        return {**body, "messages": [*system, *said]}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    given = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    function = {name: value for name, value in given.items() if value}
    return {"type": "function", "function": function | ({"strict": True} if tool.strict else {})}


def _choice(choice: str) -> str | dict[str, Any]:
    return choice if choice in CHOICES else {"type": "function", "function": {"name": choice}}


def _content(message: Message) -> str | list[dict[str, Any]]:
    """A text by itself needs no parts, and servers without eyes know none."""
    if not message.images:
        return message.text
    parts = [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in message.images]
    return [*parts, {"type": "text", "text": message.text}]


def _message(message: Message, extra: dict[str, Any]) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call, "content": message.text}
    if not message.calls:
        return {"role": message.role, "content": _content(message)}
    calls = [
        # vLLM reads the arguments as JSON, which nothing is not.
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments or "{}"},
        }
        | extra
        for call in message.calls
    ]
    return {"role": "assistant", "content": message.text or None, "tool_calls": calls}
