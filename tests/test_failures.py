"""What servers' failures mean: bodies as vendors send them, and the sentence a person reads."""

from typing import Any

import pytest

from providers.failures import DETAIL_LIMIT, RETRYABLE, Failures, classify, report, retry_after


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, None, "auth"),
        (403, {"error": {"message": "No access", "status": "PERMISSION_DENIED"}}, "auth"),
        (
            400,
            [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
            "auth",
        ),
        (402, {"error": {"message": "Insufficient Balance"}}, "quota"),
        (429, {"error": {"message": "quota", "type": "insufficient_quota"}}, "quota"),
        (429, [{"error": {"code": 429, "message": "You exceeded your current quota"}}], "rate_limited"),
        (429, {"error": {"message": "x", "code": "rate_limit_exceeded"}}, "rate_limited"),
        (404, {"error": {"message": 'model "x" not found, try pulling it first'}}, "model_not_found"),
        (404, "<html>nothing here</html>", "model_not_found"),
        (400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error"}}, "model_not_found"),
        (400, {"message": "Invalid model: x", "code": "1500"}, "model_not_found"),
        (400, {"error": {"message": "x is not a valid model ID", "code": 400}}, "model_not_found"),
        (400, {"error": {"message": "maximum context length is 4096 tokens"}}, "context_overflow"),
        (400, {"error": {"type": "exceed_context_size_error", "message": "n"}}, "context_overflow"),
        (400, {"error": {"message": "The input token count (9) exceeds"}}, "context_overflow"),
        (413, None, "context_overflow"),
        (400, {"error": {"code": "content_policy_violation", "message": "no"}}, "content_filter"),
        (422, {"message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "n"]}]}}, "bad_request"),
        (422, {"detail": [{"msg": "Input should be a valid list"}]}, "bad_request"),
        (418, None, "bad_request"),
        (301, None, "bad_request"),
        (408, None, "unavailable"),
        (500, "", "unavailable"),
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            "unavailable",
        ),
        (0, {"error": {"message": "no", "type": "invalid_request_error"}}, "bad_request"),
        (0, {"error": {"message": "no", "code": 503}}, "unavailable"),
        (0, "No idea", "unavailable"),
        (0, {"error": {"code": "invalid_prompt", "message": "no"}}, "content_filter"),
        (0, {"error": {"code": "bio_policy", "message": "no"}}, "content_filter"),
        (400, [{"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}}], "auth"),
        (0, {"error": {"status": "RESOURCE_EXHAUSTED"}}, "rate_limited"),
    ],
)
def test_what_a_failure_means(status: int, body: Any, code: str) -> None:
    assert classify(report(body, status)) == code


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_when_to_ask_again(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=100.0) == seconds


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        ([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}], 34.07),
        ([{"reason": "RATE_LIMIT_EXCEEDED"}, "odd", {"retryDelay": "0s"}], 0.0),
        ([{"retryDelay": "soon"}], None),
        ([{"retryDelay": "infs"}], None),
        ([{"retryDelay": {"seconds": 7}}], None),
        ({"retryDelay": "7s"}, None),
        ([], None),
    ],
)
def test_when_google_says_to_ask_again(details: Any, seconds: float | None) -> None:
    found = report([{"error": {"code": 429, "message": "Slow down.", "details": details}}], 429)
    assert (classify(found), found.wait) == ("rate_limited", seconds)
    assert failures().reported(found, "m", wait=1.0).retry_after == 1.0
    assert failures().reported(found, "m").retry_after == seconds


def failures(secret: str = "", *, local: bool = False) -> Failures:
    return Failures("Groq", "https://api.groq.com", local=local, key_env="GROQ_API_KEY", secret=secret)


def said(status: int, message: str, secret: str = "") -> str:
    return failures(secret).reported(report({"error": {"message": message}}, status), "qwen").detail


def test_the_sentence_a_person_reads() -> None:
    assert said(401, "Bad key sk-1.") == "Groq refused the key; check GROQ_API_KEY."
    assert said(404, "") == "Groq does not know the model 'qwen'."
    assert said(500, "<html>oops</html>") == "Groq cannot answer now (500)."
    assert said(400, "top_p is\n  odd.") == "Groq refused the request (400): top_p is odd."
    assert (
        failures(local=True).unreachable().detail
        == "Nothing answers at https://api.groq.com: is Groq running?"
    )


def test_a_sentence_is_bounded() -> None:
    detail = said(500, "word " * 1_000_000)
    assert len(detail) == DETAIL_LIMIT
    assert detail.endswith("…")


@pytest.mark.parametrize("secret", ["gsk_1234567890abcdef", "short"])
def test_no_sentence_holds_the_key(secret: str) -> None:
    assert secret not in said(500, f"Bearer {secret}, '{secret}' {secret}{secret}", secret)
    assert "1234567" not in said(500, "gsk_1234567***def", "gsk_1234567890abcdef")
    assert said(500, "nothing of the kind", secret) == "Groq cannot answer now (500): nothing of the kind."


def test_only_what_time_can_mend_is_worth_a_retry() -> None:
    assert {"rate_limited", "unavailable", "timeout", "connection"} == RETRYABLE
    assert [failures().reported(report(None, status), "m").retryable for status in (401, 404, 429, 503)] == [
        False, False, True, True,
    ]  # fmt: skip
