"""OpenAI's package for Python. Each case prints a line of JSON: its name, and when it left where that counts."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import openai

client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["SECRET"], max_retries=0)
WHY: Any = [{"role": "user", "content": "Why?"}]
LOOK: Any = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


def ask(model: str, **more: Any) -> Any:
    """A chat completion."""
    return client.chat.completions.create(model=model, messages=WHY, **more)


def models() -> None:
    """The list, and one of it."""
    assert "roundtable/pair" in [each.id for each in client.models.list()]
    assert client.models.retrieve("wire:words").id == "wire:words"


def whole() -> None:
    """Not streamed."""
    found = ask("wire:words")
    assert found.choices[0].message.content == "One two three."
    assert (found.choices[0].finish_reason, found.usage.total_tokens) == ("stop", 8)


def stream() -> None:
    """Streamed, with usage."""
    chunks = list(ask("wire:words", stream=True, stream_options={"include_usage": True}))
    assert "".join(each.choices[0].delta.content or "" for each in chunks[:-1]) == "One two three."
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage.completion_tokens == 3


def tools() -> None:
    """A call that is put together from its fragments, and its answer."""
    with client.chat.completions.stream(model="wire:tool", messages=WHY, tools=[LOOK]) as events:
        message: Any = events.get_final_completion().choices[0].message
    assert json.loads(message.tool_calls[0].function.arguments) == {"where": "here"}
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "42"}
    again: Any = [*WHY, message, result]
    answer = client.chat.completions.create(model="wire:tool", messages=again, tools=[LOOK])
    assert answer.choices[0].message.content == "It is 42."


def logprobs() -> None:
    """Of every token."""
    found = ask("wire:logprobs", logprobs=True)
    assert [each.token for each in found.choices[0].logprobs.content] == ["One", " two", " three."]
    chunks = ask("wire:logprobs", logprobs=True, stream=True)
    told = [each.choices[0].logprobs.content[0].logprob for each in chunks if each.choices[0].logprobs]
    assert told == [-0.5] * 3


def refused() -> None:
    """Errors by status."""
    for model, error in (("nope:x", openai.NotFoundError), ("wire:limited", openai.RateLimitError)):
        for streamed in (False, True):
            assert raised(lambda: ask(model, stream=streamed), error)  # noqa: B023 - called at once
    assert raised(lambda: ask("wire:words", n=2), openai.BadRequestError).param == "n"
    stranger = client.with_options(api_key="wrong")
    assert raised(stranger.models.list, openai.AuthenticationError)


def broken() -> None:
    """An error in mid-stream."""
    assert "on fire" in raised(lambda: list(ask("wire:broken", stream=True)), openai.APIError).message


def panel() -> None:
    """A table as one answer."""
    text = "".join(each.choices[0].delta.content or "" for each in ask("roundtable/pair", stream=True))
    assert text == "**Ada:** One two.\n\n**Ben:** Three."


def responses() -> None:
    """The other API, streamed and whole."""
    *_, last = client.responses.create(model="wire:words", input="Why?", stream=True)
    assert last.type == "response.completed"
    assert last.response.output_text == "One two three."
    assert client.responses.create(model="wire:words", input="Why?").output_text == "One two three."


def leave() -> float:
    """Leaving amid a stream."""
    chunks = ask("wire:endless", stream=True)
    next(chunks)
    next(chunks)
    left = time.time()
    chunks.close()
    return left


def leave_whole() -> float:
    """Leaving while waiting for the whole."""
    try:
        ask("wire:endless", timeout=0.5)
    except openai.APITimeoutError:
        return time.time()
    raise AssertionError


def raised(call: Callable[[], Any], kind: type[Any]) -> Any:
    """The error that a call raises, which must be of that kind."""
    try:
        call()
    except openai.APIError as error:
        assert type(error) is kind, repr(error)  # noqa: PT017 - no test of pytest's
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def main() -> None:
    """Every case."""
    sys.stdout.write(json.dumps({"client": f"openai {openai.__version__} (Python)"}) + "\n")
    for case in (
        models,
        whole,
        stream,
        tools,
        logprobs,
        refused,
        broken,
        panel,
        responses,
        leave,
        leave_whole,
    ):
        try:
            told: dict[str, Any] = {"case": case.__name__, "left": case()}
        except Exception as error:  # noqa: BLE001 - it is what is reported
            told = {"case": case.__name__, "error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


main()
