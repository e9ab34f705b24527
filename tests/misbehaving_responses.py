"""What a Responses server sends in each scenario of the contract: frames for `tests.misbehaving.MisbehavingServer`.

As the API sends them, with the events that say nothing to us and all the members that the SDK's own types demand.
"""

import json
from typing import Any

from tests.misbehaving import HEAD, Act, Step, answer, chunk, error, stream

WHOLE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress", "output": [],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "instructions": "Be brief.",
    "error": None, "incomplete_details": None, "usage": None,
}  # fmt: skip


def event(kind: str, **members: Any) -> bytes:
    """One named SSE frame, its type repeated in the data as the API does."""
    data = {"type": kind, "sequence_number": 0, **members}
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def response(kind: str, **members: Any) -> bytes:
    """An event that holds the whole response."""
    return event(f"response.{kind}", response={**WHOLE, "status": kind, **members})


def delta(kind: str, words: str, output: int = 0, **place: int) -> bytes:
    """Some of a text; the summary's has another index than the others."""
    place = place or {"summary_index" if "summary" in kind else "content_index": 0}
    return event(
        f"response.{kind}.delta", item_id="i", output_index=output, delta=words, logprobs=[], **place
    )


def item(state: str, output: int = 0, /, **members: Any) -> bytes:
    """An item of the output, `added` or `done`."""
    return event(f"response.output_item.{state}", output_index=output, item={"id": f"i_{output}", **members})


def text(*words: str, output: int = 0) -> bytes:
    """A whole message."""
    message = {"type": "message", "role": "assistant", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    place = {"item_id": "i", "output_index": output, "content_index": 0}
    return b"".join(
        [
            item("added", output, **message, status="in_progress"),
            event("response.content_part.added", **place, part=part),
            *(delta("output_text", word, output) for word in words),
            event("response.output_text.done", **place, text="".join(words), logprobs=[]),
            event("response.content_part.done", **place, part={**part, "text": "".join(words)}),
            item("done", output, **message, status="completed"),
        ]
    )


def call(output: int, name: str, *fragments: str, id: str) -> bytes:
    """A whole call of a function."""
    function = {"type": "function_call", "call_id": id, "name": name}
    whole = "".join(fragments)
    return b"".join(
        [
            item("added", output, **function, arguments="", status="in_progress"),
            *(delta("function_call_arguments", fragment, output) for fragment in fragments),
            event("response.function_call_arguments.done", item_id="i", output_index=output, arguments=whole),
            item("done", output, **function, arguments=whole, status="completed"),
        ]
    )


def calling(output: int, id: str) -> bytes:
    """The beginning of a call."""
    return item("added", output, type="function_call", call_id=id, name="search", arguments="")


def weighed(words: str, token: str) -> bytes:
    """Some of a text with its token's logarithm; the API tells none of their bytes here."""
    likely = [{"token": token, "logprob": -0.5}, {"token": None, "logprob": None}]
    logprobs = [{"token": token, "logprob": -0.5, "top_logprobs": likely}]
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    return event("response.output_text.delta", **place, delta=words, logprobs=logprobs)


def cut_short(reason: str) -> bytes:
    return response("incomplete", incomplete_details={"reason": reason})


def failed(code: str, message: str = "No.") -> bytes:
    """A failure of the model, inside the response."""
    return response("failed", error={"code": code, "message": message})


def broken(code: str | None, message: str = "No.") -> bytes:
    """A failure of the server, beside it."""
    return event("error", code=code, message=message, param=None)


START = response("created") + response("in_progress")
AND_THEN = item("added", type="message", role="assistant", content=[]) + delta("output_text", "And then")
DONE = response("completed")
# As the API counts: what was read from the cache and written to it is in the input.
COUNTED = response(
    "completed",
    usage={
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 5},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 29,
    },
)
ARGUMENTS = "function_call_arguments"
SUMMARY = "reasoning_summary_text"

WIRE: dict[str, list[Step]] = {
    "text": stream(START, text("Hello, ", "wörld 🌍"), DONE),
    "thinking": stream(
        START, item("added", type="reasoning", summary=[]), delta(SUMMARY, "Let me "), delta(SUMMARY, "see."),
        item("done", type="reasoning", summary=[]), text("Yes.", output=1), DONE,
    ),
    "tool": stream(START, call(0, "search", '{"q":', '"tea"}', id="call_1"), DONE),
    "tools": stream(START, call(0, "search", '{"q":"tea"}', id="a"), call(1, "clock", "{}", id="b"), DONE),
    "interleaved": stream(
        START, calling(0, "a"), calling(1, "b"), delta(ARGUMENTS, '{"q":', 1), delta(ARGUMENTS, '{"q":', 0),
        delta(ARGUMENTS, '"cake"}', 1), delta(ARGUMENTS, '"tea"}', 0), DONE,
    ),
    "logprobs": stream(
        START, weighed("Hello", "Hello"), weighed(" 🌍", " 🌍"), DONE,
    ),
    "usage": stream(START, text("Yes."), COUNTED),
    "length": stream(START, AND_THEN, cut_short("max_output_tokens")),
    "content_filter": stream(START, AND_THEN, cut_short("content_filter")),
    "refusal": stream(START, delta("refusal", "I will "), delta("refusal", "not."), DONE),
    "empty": stream(START, DONE),
    "auth": [error(401, "Incorrect API key provided.", code="invalid_api_key")],
    "model_not_found": [error(404, "No such thing.", code="model_not_found")],
    "rate_limited": [error(429, "Slow down.", headers={"retry_after": "2.5"})],
    "quota": [error(429, "You exceeded your current quota.", code="insufficient_quota")],
    "context_overflow": [error(400, "Too long.", code="context_length_exceeded")],
    "bad_request": [error(400, "Unsupported value.", type="invalid_request_error", param="reasoning.summary")],
    "unavailable": [answer(503, b"")],
    "fails_midway": stream(START, AND_THEN, failed("server_error")),
    "cut": stream(START, AND_THEN),
    "cut_mid_frame": [HEAD, chunk(START + AND_THEN), chunk(AND_THEN[:30]), Act.CUT],
    "reset": [HEAD, chunk(START + AND_THEN), Act.CUT],
    "garbage": stream(START, AND_THEN, b"event: response.output_text.delta\ndata: {oops\n\n"),
    "page": [answer(200, b"<html><body>Welcome to the hotel</body></html>", kind="text/html")],
    "stall": [HEAD, chunk(START + AND_THEN), Act.STALL],
    "silent": [Act.STALL],
}  # fmt: skip
