"""The stream of OpenAI's Responses API: typed events, numbered, and the response object they begin and end with.
Source: https://platform.openai.com/docs/api-reference/responses-streaming and the types of OpenAI's own packages.
"""

from collections.abc import Mapping
from typing import Any, Literal

from protocol import codec, invocation
from protocol.messages import Logprob, Usage
from protocol.views import openai
from protocol.views.openai import FinishReason, Retry, Step

# A failure's code must be one of OpenAI's; what they have no word for is the server's.
_CODES = {
    "rate_limited": "rate_limit_exceeded",
    "quota": "rate_limit_exceeded",
    "content_filter": "invalid_prompt",
}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_Status = Literal["in_progress", "completed", "incomplete", "failed"]


class _Item:
    """An item of the output as it grows: reasoning, the message, or a call (whose `call` and `name` are given)."""

    def __init__(self, kind: str, id: str, index: int, call: str = "", name: str = "") -> None:
        self.kind, self.id, self.index, self.call, self.name = kind, id, index, call, name
        self.text: list[str] = []
        self.logprobs: list[Logprob] = []

    def part(self) -> dict[str, Any]:
        """What it holds, as a part."""
        text = "".join(self.text)
        if self.kind == "reasoning":
            return {"type": "reasoning_text", "text": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": self.logprobs}

    def object(self, status: str, *, empty: bool = False) -> dict[str, Any]:
        """As it stands."""
        head = {"id": self.id, "type": self.kind, "status": status}
        if self.kind == "function_call":
            arguments = "" if empty else "".join(self.text)
            return head | {"call_id": self.call, "name": self.name, "arguments": arguments}
        content = [] if empty else [self.part()]
        if self.kind == "reasoning":
            return head | {"summary": [], "content": content}
        return head | {"role": "assistant", "content": content}


class Events:
    """`Writer` of one response, streamed or not. `echo` is what of the request the response repeats."""

    def __init__(self, id: str, created: int, model: str, echo: Mapping[str, Any]) -> None:
        self.failed: invocation.Failed | None = None
        self.retry: Retry | None = None
        self._id = id
        self._response: dict[str, Any] = {
            "id": f"resp_{id}", "object": "response", "created_at": created, "status": "in_progress",
            "error": None, "incomplete_details": None, "model": model, "output": [], "usage": None, **echo,
        }  # fmt: skip
        self._sequence = 0
        self._items: list[_Item] = []
        self._finished: dict[int, Any] = {}
        self._calls: dict[str, _Item] = {}
        self._open: _Item | None = None  # reasoning or the message; calls stay open to the end

    def begin(self) -> bytes:
        """As `Writer.begin`."""
        return self._whole("response.created") + self._whole("response.in_progress")

    def about(self, ours: Mapping[str, Any]) -> None:
        """As `Writer.about`."""
        self._response["roundtable"] = {**self._response.get("roundtable", {}), **ours}

    def say(self, text: str) -> bytes:
        """As `Writer.say`."""
        return self._step(Step(text=text))

    def told(self, body: bytes) -> bytes:
        """As `Writer.told`."""
        return b"".join([self._told(kind, data) for kind, data in invocation.shown(body)])

    def end(self, reason: FinishReason, used: Usage | None) -> bytes:
        """As `Writer.end`."""
        why = _INCOMPLETE.get(reason)
        status: _Status = "incomplete" if why else "completed"
        wire = self._close(status)
        self._response |= {"status": status, "usage": _usage(used)}
        if why:
            self._response["incomplete_details"] = {"reason": why}
        return wire + self._whole(f"response.{status}")

    def fail(self, failed: invocation.Failed) -> bytes:
        """As `Writer.fail`: OpenAI's packages hand it on as an event."""
        wire = self._close("incomplete")
        error = {"code": _CODES.get(failed.code, "server_error"), "message": failed.detail}
        self._response |= {"status": "failed", "error": error}
        return wire + self._whole("response.failed")

    def object(self) -> bytes:
        """As `Writer.object`."""
        return codec.encode(self._response)

    # -- what is told ------------------------------------------------------------------------------------------

    def _told(self, kind: bytes, body: bytes) -> bytes:
        if kind == b"step":
            return self._step(openai.step(body))
        if kind == b"converge":
            return openai.finish(self, openai.final(body))
        if kind in invocation.ENDINGS:
            self.failed = openai.failure(body)
        return b""

    def _step(self, step: Step) -> bytes:
        self.retry = step.retry
        if step.call:
            return self._arguments(step)
        if step.thinking:
            return self._words("reasoning", "response.reasoning_text.delta", step.thinking)
        if step.text or step.logprobs:
            return self._words("message", "response.output_text.delta", step.text, step.logprobs)
        return b""

    def _words(self, kind: str, event: str, text: str, logprobs: list[Logprob] | None = None) -> bytes:
        wire = b""
        if self._open is None or self._open.kind != kind:
            wire = self._settle("completed") + self._begin(kind)
        assert self._open is not None
        self._open.text.append(text)
        self._open.logprobs += logprobs or []
        told = {"logprobs": logprobs or []} if kind == "message" else {}
        return wire + self._event(event, {**self._place(self._open), "delta": text, **told})

    def _arguments(self, step: Step) -> bytes:
        wire = b""
        if step.call not in self._calls:
            wire = self._settle("completed")
            item = self._calls[step.call] = self._new("function_call", "fc", step.call, step.name)
            wire += self._added(item)
        item = self._calls[step.call]
        if not step.arguments:
            return wire
        item.text.append(step.arguments)
        told = {"item_id": item.id, "output_index": item.index, "delta": step.arguments}
        return wire + self._event("response.function_call_arguments.delta", told)

    # -- items -------------------------------------------------------------------------------------------------

    def _new(self, kind: str, prefix: str, call: str = "", name: str = "") -> _Item:
        item = _Item(kind, f"{prefix}_{self._id}_{len(self._items)}", len(self._items), call, name)
        self._items.append(item)
        return item

    def _begin(self, kind: str) -> bytes:
        item = self._open = self._new(kind, "rs" if kind == "reasoning" else "msg")
        part = item.part()
        return self._added(item) + self._event(
            "response.content_part.added", {**self._place(item), "part": part}
        )

    def _added(self, item: _Item) -> bytes:
        told = {"output_index": item.index, "item": item.object("in_progress", empty=True)}
        return self._event("response.output_item.added", told)

    def _settle(self, status: str) -> bytes:
        """The end of what is open: words are followed by something else."""
        item, self._open = self._open, None
        if item is None:
            return b""
        place, part = self._place(item), item.part()
        kind = "reasoning_text" if item.kind == "reasoning" else "output_text"
        logprobs = {"logprobs": item.logprobs} if item.kind == "message" else {}
        return (
            self._event(f"response.{kind}.done", {**place, "text": part["text"], **logprobs})
            + self._event("response.content_part.done", {**place, "part": part})
            + self._done(item, status)
        )

    def _close(self, status: str) -> bytes:
        wire = self._settle(status)
        for item in self._calls.values():
            told = {
                "item_id": item.id,
                "output_index": item.index,
                "arguments": "".join(item.text),
                "name": item.name,
            }
            wire += self._event("response.function_call_arguments.done", told) + self._done(item, status)
        return wire

    def _done(self, item: _Item, status: str) -> bytes:
        told = self._finished[item.index] = item.object(status)
        self._response["output"] = [self._finished[index] for index in sorted(self._finished)]
        return self._event("response.output_item.done", {"output_index": item.index, "item": told})

    # -- frames ------------------------------------------------------------------------------------------------

    def _place(self, item: _Item) -> dict[str, Any]:
        return {"item_id": item.id, "output_index": item.index, "content_index": 0}

    def _whole(self, event: str) -> bytes:
        return self._event(event, {"response": self._response})

    def _event(self, event: str, members: Mapping[str, Any]) -> bytes:
        data = codec.encode({"type": event, "sequence_number": self._sequence, **members})
        self._sequence += 1
        return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


def _usage(used: Usage | None) -> dict[str, Any] | None:
    if used is None:
        return None
    return {
        "input_tokens": used.input,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.cache_write},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.thinking},
        "total_tokens": used.input + used.output,
    }
