"""The Responses dialect, OpenAI's own: the request. What comes back is read by `responses_api.py`."""

from collections.abc import Iterator
from typing import Any

import httpx2

from protocol.messages import Message, ToolSpec
from providers.base import Request
from providers.calling import CHOICES, NO_PARAMETERS, data_url
from providers.openai_client import OpenAIServer
from providers.openai_options import read_responses
from providers.options import least
from providers.responses_api import ResponsesAnswer

# The API refuses a lower limit: "integer below minimum value". A few tokens more do less harm than no turn.
LEAST_TOKENS = 16


class ResponsesProvider(OpenAIServer):
    """One server of this dialect. Nothing is stored there: whoever runs the table keeps the conversation."""

    reader = ResponsesAnswer

    def check(self, options: dict[str, Any]) -> None:
        read_responses(options)

    async def _send(self, request: Request) -> httpx2.Response:
        # `extra_body` is sent as it is and laid over the rest: the SDK checks and copies none of it.
        stream = await self._client.responses.create(
            model=request.model, input="", stream=True, extra_body=_body(request)
        )
        return stream.response


def _body(request: Request) -> dict[str, Any]:
    body = read_responses(request.options).body()
    limit = least(request.max_tokens, body.pop("max_tokens", None))
    if limit is not None:
        body["max_output_tokens"] = max(LEAST_TOKENS, limit)
    if request.system:
        body["instructions"] = request.system
    if request.tools:
        body["tools"] = [*body.get("tools", ()), *map(_tool, request.tools)]
        if request.tool_choice != "auto":
            body["tool_choice"] = _choice(request.tool_choice)
    said = [item for message in request.messages for item in _items(message)]
    # By default the vendor keeps the conversation, and pads each event to hide its length from who watches the line;
    # what we pass on is not padded either.
    return {**body, "input": said, "store": False, "stream_options": {"include_obfuscation": False}}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    # Here a tool is strict unless it says that it is not, and must say what it takes.
    about = {"description": tool.description} if tool.description else {}
    takes = {"parameters": tool.parameters or NO_PARAMETERS, "strict": tool.strict}
    return {"type": "function", "name": tool.name, **about, **takes}


def _choice(choice: str) -> str | dict[str, Any]:
    return choice if choice in CHOICES else {"type": "function", "name": choice}


def _items(message: Message) -> Iterator[dict[str, Any]]:
    """A call and its result are no messages here, but stand between them."""
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.call, "output": message.text}
        return
    if message.images:
        parts = [{"type": "input_image", "image_url": data_url(image)} for image in message.images]
        yield {"role": message.role, "content": [*parts, {"type": "input_text", "text": message.text}]}
    elif message.text or not message.calls:
        yield {"role": message.role, "content": message.text}
    for call in message.calls:
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments or "{}",
        }
