"""A conversation in which tools are called: what every dialect asks of one before anybody is sent it. No I/O."""

from collections.abc import Iterator
from typing import Any

import msgspec

from protocol.errors import Invalid
from protocol.messages import Call, Image, Message
from providers.base import Request

# What `tool_choice` may be besides a tool's name; a tool of such a name can be called, but not demanded.
CHOICES = frozenset({"auto", "none", "required"})
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
"""The JSON Schema of a tool that takes none, for vendors that want one."""

_arguments = msgspec.json.Decoder(dict[str, Any])


def check(request: Request) -> None:
    """Raises `Invalid`, naming the place, for what every vendor refuses and no local model should be asked.

    Each call has one result, before anybody says anything else; a demanded tool is among those given.
    """
    names = [tool.name for tool in request.tools]
    if "" in names or len(set(names)) < len(names):
        raise Invalid("tools: each has a name of its own.", field="tools")
    if request.tool_choice not in CHOICES.union(names):
        raise Invalid(f"tool_choice: there is no tool {request.tool_choice[:60]!r}.", field="tool_choice")
    if request.tool_choice == "required" and not names:
        raise Invalid("tool_choice: a call is required, and there are no tools.", field="tool_choice")
    open_calls: set[str] = set()
    for place, message in enumerate(request.messages):
        _check(message, open_calls, f"messages[{place}]")
    if open_calls:
        raise Invalid(f"messages: the call {min(open_calls)[:60]!r} has no result.", field="messages")


def arguments(call: Call) -> dict[str, Any]:
    """A call's arguments, for vendors that want them as an object. Raises `Invalid`."""
    try:
        return _arguments.decode(call.arguments or "{}")
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as error:
        detail = (
            f"The arguments of the call {call.id[:60]!r} are no JSON object, which this model is to be given."
        )
        raise Invalid(detail, field="messages") from error


def data_url(image: Image) -> str:
    """A picture as vendors take it inside a message."""
    return f"data:{image.media_type};base64,{image.data}"


def names(messages: tuple[Message, ...]) -> dict[str, str]:
    """The tool that each call asked for, by the call's id."""
    return {call.id: call.name for call in _calls(messages)}


def _calls(messages: tuple[Message, ...]) -> Iterator[Call]:
    for message in messages:
        yield from message.calls


def _check(message: Message, open_calls: set[str], place: str) -> None:
    if message.role == "tool":
        if message.call not in open_calls:
            detail = f"{place}: it is the result of {message.call[:60]!r}, which nobody has just called."
            raise Invalid(detail, field=f"{place}.call")
        open_calls.remove(message.call)
        return
    if open_calls:
        raise Invalid(
            f"{place}: the call {min(open_calls)[:60]!r} has no result before it.", field=f"{place}.role"
        )
    ids = [call.id for call in message.calls]
    if message.call or (ids and message.role != "assistant"):
        raise Invalid(f"{place}: only an assistant calls, and only a tool answers.", field=f"{place}.role")
    if "" in ids or len(set(ids)) < len(ids):
        raise Invalid(f"{place}: each call has an id of its own.", field=f"{place}.calls")
    open_calls.update(ids)
