"""LiteLLM as a client. Each case prints a line of JSON, as in with_openai.py."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it fetches a list of prices

import litellm  # type: ignore[import-not-found]

WHY = [{"role": "user", "content": "Why?"}]
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
WHERE = {
    "api_base": os.environ["BASE_URL"],
    "api_key": os.environ["SECRET"],
    "num_retries": 0,
    "max_retries": 0,
}


def ask(model: str, **more: Any) -> Any:
    """A chat completion."""
    return litellm.completion(**{"model": f"openai/{model}", "messages": WHY, **WHERE, **more})


def whole() -> None:
    """Not streamed."""
    found = ask("wire:words")
    assert found.choices[0].message.content == "One two three."
    assert found.usage.total_tokens == 8


def stream() -> None:
    """Streamed, with usage."""
    chunks = list(ask("wire:words", stream=True, stream_options={"include_usage": True}))
    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == "One two three."
    assert [each.usage.completion_tokens for each in chunks if getattr(each, "usage", None)] == [3]


def tools() -> None:
    """A call that is put together from its fragments, and its answer."""
    chunks = list(ask("wire:tool", stream=True, tools=[LOOK]))
    message = litellm.stream_chunk_builder(chunks).choices[0].message
    assert json.loads(message.tool_calls[0].function.arguments) == {"where": "here"}
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "42"}
    again = ask("wire:tool", messages=[*WHY, message.model_dump(), result], tools=[LOOK])
    assert again.choices[0].message.content == "It is 42."


def logprobs() -> None:
    """Of every token."""
    found = ask("wire:logprobs", logprobs=True)
    assert [each.token for each in found.choices[0].logprobs.content] == ["One", " two", " three."]


def refused() -> None:
    """Errors by status."""
    assert raised(lambda: ask("nope:x"), litellm.NotFoundError)
    assert raised(lambda: ask("wire:limited", stream=True), litellm.RateLimitError)
    assert raised(lambda: ask("wire:words", api_key="wrong"), litellm.AuthenticationError)


def broken() -> None:
    """An error in mid-stream."""
    assert "on fire" in str(raised(lambda: list(ask("wire:broken", stream=True)), Exception))


def panel() -> None:
    """A table as one answer."""
    chunks = ask("roundtable/pair", stream=True)
    text = "".join(each.choices[0].delta.content or "" for each in chunks)
    assert text == "**Ada:** One two.\n\n**Ben:** Three."


def leave() -> float:
    """Leaving amid a stream."""

    async def left() -> float:
        chunks = await litellm.acompletion(model="openai/wire:endless", messages=WHY, stream=True, **WHERE)
        await anext(chunks)
        await anext(chunks)
        at = time.time()
        await chunks.completion_stream.response.aclose()
        return at

    return asyncio.run(left())


def leave_whole() -> float:
    """Leaving while waiting for the whole."""
    raised(lambda: ask("wire:endless", timeout=0.5), litellm.Timeout)
    return time.time()


def raised(call: Callable[[], Any], kind: type[Any]) -> Any:
    """The error that a call raises, which must be of that kind."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - it is looked at
        assert isinstance(error, kind), repr(error)  # noqa: PT017 - no test of pytest's
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


sys.stdout.write(json.dumps({"client": f"litellm {version('litellm')}"}) + "\n")
for case in (whole, stream, tools, logprobs, refused, broken, panel, leave, leave_whole):
    try:
        told: dict[str, Any] = {"case": case.__name__, "left": case()}
    except Exception as error:  # noqa: BLE001 - it is what is reported
        told = {"case": case.__name__, "error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
