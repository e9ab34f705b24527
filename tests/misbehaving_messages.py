"""What a Messages server sends in each scenario of the contract: frames for `tests.misbehaving.MisbehavingServer`."""

import json
from typing import Any

from tests.misbehaving import HEAD, Act, Step, answer, chunk, stream


def event(kind: str, **members: Any) -> bytes:
    """One named SSE frame, its type repeated in the data as the API does."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def begin(index: int = 0, /, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(kind: str, index: int = 0, /, **members: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": f"{kind}_delta", **members})


def end(index: int = 0) -> bytes:
    return event("content_block_stop", index=index)


def text(*words: str) -> bytes:
    """A whole block of text."""
    return b"".join([begin(type="text", text=""), *(delta("text", text=word) for word in words), end()])


def over(reason: str | None, **usage: Any) -> bytes:
    """The message's end: why, and what it took."""
    told = {"usage": usage} if usage else {}
    return event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, **told) + STOP


def refusal(status: int, kind: str, message: str, **headers: str) -> bytes:
    """The API's error object as an HTTP answer."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return answer(status, json.dumps(body).encode(), **headers)


def failed(kind: str, message: str = "No.") -> bytes:
    """The same object inside a stream."""
    return event("error", error={"type": kind, "message": message})


START = event("message_start", message={"id": "msg_1", "role": "assistant", "content": [], "model": "m"})
STOP = event("message_stop")
PING = event("ping")
AND_THEN = begin(type="text", text="") + delta("text", text="And then")
# As the API counts: all but the output stands in the first event, the last one is cumulative.
COUNTED = event(
    "message_start",
    message={
        "usage": {
            "input_tokens": 7,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 8,
            "output_tokens": 1,
        }
    },
)

WIRE: dict[str, list[Step]] = {
    "text": stream(START, PING, text("Hello, ", "wörld 🌍"), over("end_turn")),
    "thinking": stream(
        START, begin(type="thinking", thinking="", signature=""), delta("thinking", thinking="Let me "),
        delta("thinking", thinking="see."), delta("signature", signature="c2ln"), end(),
        begin(type="redacted_thinking", data="c2VjcmV0"), end(), text("Yes."), over("end_turn"),
    ),
    "tool": stream(
        START, begin(type="tool_use", id="call_1", name="search", input={}), delta("input_json", partial_json=""),
        delta("input_json", partial_json='{"q":'), delta("input_json", partial_json='"tea"}'), end(), over("tool_use"),
    ),
    "tools": stream(
        START, begin(type="tool_use", id="a", name="search", input={}),
        delta("input_json", partial_json='{"q":"tea"}'), end(),
        begin(1, type="tool_use", id="b", name="clock", input={}), delta("input_json", 1, partial_json=""), end(1),
        over("tool_use"),
    ),
    "interleaved": stream(
        START, begin(type="tool_use", id="a", name="search", input={}),
        begin(1, type="tool_use", id="b", name="search", input={}),
        delta("input_json", 1, partial_json='{"q":'), delta("input_json", partial_json='{"q":'),
        delta("input_json", 1, partial_json='"cake"}'), end(1), delta("input_json", partial_json='"tea"}'), end(),
        over("tool_use"),
    ),
    "usage": stream(
        COUNTED, text("Yes."), over("end_turn", output_tokens=9, output_tokens_details={"thinking_tokens": 4})
    ),
    "length": stream(START, text("And then"), over("max_tokens")),
    "refusal": stream(START, text("I will ", "not."), over("refusal")),
    "empty": stream(START, over("end_turn")),
    "auth": [refusal(401, "authentication_error", "invalid x-api-key")],
    "model_not_found": [refusal(404, "not_found_error", "model: m")],
    "rate_limited": [refusal(429, "rate_limit_error", "Slow down.", retry_after="2.5")],
    "quota": [refusal(400, "invalid_request_error", "Your credit balance is too low to access the API.")],
    "context_overflow": [refusal(400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum")],
    "bad_request": [refusal(400, "invalid_request_error", "effort: not for this model")],
    "unavailable": [refusal(529, "overloaded_error", "Overloaded")],
    "fails_midway": stream(START, AND_THEN, failed("overloaded_error", "Overloaded")),
    "cut": stream(START, AND_THEN),
    "cut_mid_frame": [HEAD, chunk(START + AND_THEN), chunk(AND_THEN[:30]), Act.CUT],
    "reset": [HEAD, chunk(START + AND_THEN), Act.CUT],
    "garbage": stream(START, AND_THEN, b"event: content_block_delta\ndata: {oops\n\n"),
    "page": [answer(200, b"<html><body>Welcome to the hotel</body></html>", kind="text/html")],
    "stall": [HEAD, chunk(START + AND_THEN), Act.STALL],
    "silent": [Act.STALL],
}  # fmt: skip
