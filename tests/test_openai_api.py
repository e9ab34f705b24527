"""`/v1/chat/completions` and `/v1/models`, asked by OpenAI's own package over a real connection."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai import (
    APIError,
    APIStatusError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)

from protocol.errors import Invalid
from protocol.messages import Limits, Panelist
from providers.catalog import Catalog
from providers.placement import Custom
from roundtable.config import Panel
from roundtable.edge import keys
from roundtable.edge.openai import giving
from roundtable.edge.openai.panels import Panels
from tests.misbehaving import FRAME, HEAD, Act, MisbehavingServer, chunk
from tests.serving import TABLES, Client, Connect, serve
from tests.tables import until

SEAT = "scripted:ada"
WHY: Any = [{"role": "user", "content": "Why?"}]


def script(**options: Any) -> dict[str, Any]:
    """What a request carries so that the seat speaks it."""
    return {"roundtable": {"options": {"rate": 0, "ttft": 0, **options}}}


def seated(name: str, **options: Any) -> Panelist:
    return Panelist(name, f"scripted:{name.lower()}", options={"rate": 0, "ttft": 0, **options})


RECORD = """{"claims": [{"claim": "c1", "text": "It holds."}], "stances": [
 {"panelist": "Ada", "claim": "c1", "stance": "support"}, {"panelist": "Ben", "claim": "c1", "stance": "oppose"}]}"""
SYNTHESIS = "## Answer\nIt holds.\n\n## Dissent\nNone."
CHAIR = msgspec.structs.replace(seated("Dag", text=SYNTHESIS, cues={"keep the record": RECORD}), role="chair")
PANELS = {
    "jury": Panel(
        panel=(seated("Ada", text="One two."), seated("Ben", text="Three."), CHAIR), show="verdict"
    ),
    "gagged": Panel(
        panel=(seated("Ada", text="One."), msgspec.structs.replace(CHAIR, options={"error": "quota"}))
    ),
    "pair": Panel(panel=(seated("Ada", text="One two."), seated("Ben", text="Three.")), policy="parallel"),
    "half": Panel(panel=(seated("Ada", text="One two."), seated("Ben", text="Three four.", fail_after=1))),
    "dead": Panel(panel=(seated("Ada", error="quota"),)),
    "slow": Panel(panel=(Panelist("Ada", "scripted:ada", options={"text": "One two.", "rate": 0.001}),)),
    "brief": Panel(panel=(Panelist("Ada", "scripted:ada", options={"text": "One two three.", "rate": 10}),)),
}


@pytest.fixture
async def upstream() -> AsyncIterator[MisbehavingServer]:
    async with MisbehavingServer([HEAD, Act.STALL]) as server:
        yield server


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect, upstream: MisbehavingServer) -> Client:
    providers = {"wire": Custom(dialect="openai", base_url=upstream.url)}
    return await serve(aiohttp_client, data=tmp_path, panels=PANELS, providers=providers)


@pytest.fixture
async def openai(client: Client) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=str(client.make_url("/v1")), api_key="none", max_retries=0) as package:
        yield package


async def stream(openai: AsyncOpenAI, **asked: Any) -> list[Any]:
    asked = {"model": SEAT, "messages": WHY, **asked}
    return [each async for each in await openai.chat.completions.create(stream=True, **asked)]


def words(chunks: list[Any]) -> str:
    return "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)


# -- a seat --------------------------------------------------------------------------------------------------------


async def test_a_stream_from_its_role_to_its_usage(openai: AsyncOpenAI) -> None:
    chunks = await stream(
        openai, stream_options={"include_usage": True}, extra_body=script(text='Hello "you"\n\u2028 ĥ.')
    )
    assert words(chunks) == 'Hello "you"\n\u2028 ĥ.'
    assert len({(each.id, each.created, each.model, each.object) for each in chunks}) == 1
    assert chunks[0].id.startswith("chatcmpl-")
    assert (chunks[0].model, chunks[0].object) == (SEAT, "chat.completion.chunk")
    assert [each.choices[0].delta.role for each in chunks[:-1]] == ["assistant", *[None] * (len(chunks) - 2)]
    assert [each.choices[0].finish_reason for each in chunks[:-1]] == [*[None] * (len(chunks) - 2), "stop"]
    assert all("usage" in each.model_fields_set and each.usage is None for each in chunks[:-1])
    assert chunks[-1].choices == []
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (1, 3)


async def test_without_being_asked_no_chunk_speaks_of_usage(openai: AsyncOpenAI) -> None:
    chunks = await stream(openai, extra_body=script(text="Hello."))
    assert all("usage" not in each.model_fields_set for each in chunks)
    assert all(len(each.choices) == 1 for each in chunks)


async def test_the_wire_is_unnamed_frames_without_ids_and_ends_with_done(client: Client) -> None:
    body = {"model": SEAT, "messages": WHY, "stream": True, **script(text="Hello.")}
    async with client.post("/v1/chat/completions", json=body) as response:
        assert response.content_type == "text/event-stream"
        frames = (await response.text()).split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    assert all(frame.startswith('data: {"id":"chatcmpl-') for frame in frames[:-2])


async def test_a_whole_answer_with_reasoning_a_call_and_usage(openai: AsyncOpenAI) -> None:
    asked = script(
        text="Let me see.", thinking="hm hm", tool={"name": "look", "arguments": {"for": "x" * 40}}
    )
    found = await openai.chat.completions.create(
        model=SEAT,
        messages=[{"role": "developer", "content": "Be brief."}, *WHY],
        extra_body=asked,
    )
    choice = found.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me see.")
    assert choice.message.model_extra == {"reasoning_content": "hm hm"}
    assert choice.message.tool_calls
    assert choice.message.tool_calls[0].type == "function"
    assert msgspec.json.decode(choice.message.tool_calls[0].function.arguments) == {"for": "x" * 40}
    assert found.usage
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (3, 5)
    assert found.usage.completion_tokens_details
    assert found.usage.completion_tokens_details.reasoning_tokens == 2
    assert found.model_extra == {"roundtable": {"dollars": 0.0}}


async def test_a_streamed_call_is_put_together_by_the_package(openai: AsyncOpenAI) -> None:
    extra = script(tool={"name": "look", "arguments": {"for": "x" * 40}})
    async with openai.chat.completions.stream(model=SEAT, messages=WHY, extra_body=extra) as events:
        final = await events.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls
    assert (calls[0].id, calls[0].function.name) == ("call_1", "look")
    assert msgspec.json.decode(calls[0].function.arguments) == {"for": "x" * 40}
    assert final.choices[0].finish_reason == "tool_calls"


async def test_an_answer_may_be_sent_back_with_what_the_call_gave(openai: AsyncOpenAI) -> None:
    extra = script(text="Wait.", thinking="hm", tool={"name": "look", "arguments": {}})
    first = await openai.chat.completions.create(model=SEAT, messages=WHY, extra_body=extra)
    back: Any = first.choices[0].message.model_dump()
    result: Any = {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "42"}]}
    found = await openai.chat.completions.create(
        model=SEAT,
        messages=[*WHY, back, result],
        extra_body=script(text="It is 42."),
    )
    assert found.choices[0].message.content == "It is 42."


async def test_words_end_where_the_limit_is(openai: AsyncOpenAI) -> None:
    chunks = await stream(openai, max_completion_tokens=2, max_tokens=9, extra_body=script(text="a b c d"))
    assert (words(chunks), chunks[-1].choices[0].finish_reason) == ("a b", "length")


# -- failing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("code", "raised", "told"),
    [
        ("rate_limited", RateLimitError, (429, "rate_limit_exceeded")),
        ("quota", RateLimitError, (429, "insufficient_quota")),
        ("model_not_found", NotFoundError, (404, "model_not_found")),
        ("context_overflow", BadRequestError, (400, "context_length_exceeded")),
        ("auth", InternalServerError, (502, "auth")),
        ("unavailable", InternalServerError, (503, "unavailable")),
        ("timeout", InternalServerError, (504, "timeout")),
    ],
)
async def test_what_fails_before_a_word_fails_with_a_status(
    openai: AsyncOpenAI, code: str, raised: type[APIError], told: tuple[int, str], *, streamed: bool
) -> None:
    extra = script(error=code, retryable=False)
    with pytest.raises(raised) as failed:
        await openai.chat.completions.create(model=SEAT, messages=WHY, stream=streamed, extra_body=extra)
    error = failed.value
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.code) == told
    assert error.response.headers["x-should-retry"] == "false"


async def test_what_fails_after_a_word_is_raised_in_the_stream(openai: AsyncOpenAI) -> None:
    heard = list[Any]()

    async def hear() -> None:
        extra = script(text="One two three.", fail_after=2)
        chunks: Any = await openai.chat.completions.create(
            model=SEAT,
            messages=WHY,
            stream=True,
            extra_body=extra,
        )
        async for each in chunks:
            heard.append(each)

    with pytest.raises(APIError, match="The script fails here") as failed:
        await hear()
    assert words(heard) == "One two"
    assert (failed.value.code, failed.value.type) == ("unavailable", "server_error")


async def test_a_panel_may_answer_with_its_verdict(openai: AsyncOpenAI, client: Client) -> None:
    answer = await openai.chat.completions.create(model="roundtable/jury", messages=WHY)
    told = f"{SYNTHESIS}\n\n*2 of 2 answered.*\n\n**Ben** dissents: Three."
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (told, "stop")
    assert words(await stream(openai, model="roundtable/jury")) == told
    table: Any = answer.model_extra
    page = await client.get(f"{TABLES}/{table['roundtable']['table']}/export?format=md")
    assert "## Verdict\n\n**2 of 2 answered.**\n\n> It holds.\n\n### Dissent\n\n**Ben**" in await page.text()
    snapshot = await (await client.get(f"{TABLES}/{table['roundtable']['table']}")).json()
    (given,) = [
        each["finding"]
        for each in snapshot["transcript"]["findings"]
        if each["finding"]["type"] == "verdict.given"
    ]
    assert given["claims"] == [{"text": "It holds.", "supports": ["Ada"], "opposes": ["Ben"], "unsure": []}]


async def test_a_verdict_is_never_made_up(openai: AsyncOpenAI) -> None:
    asked: Any = {"roundtable": {"show": "verdict"}}
    with pytest.raises(InternalServerError) as failed:
        await openai.chat.completions.create(model="roundtable/gagged", messages=WHY, extra_body=asked)
    assert failed.value.code == "no_verdict"
    assert "the chair failed, no synthesis" in failed.value.message


async def test_a_stream_that_failed_is_not_done(client: Client) -> None:
    body = {"model": SEAT, "messages": WHY, "stream": True, **script(text="One two.", fail_after=1)}
    async with client.post("/v1/chat/completions", json=body) as response:
        frames = (await response.text()).split("\n\n")
    assert frames[-1] == ""
    assert frames[-2].startswith('data: {"error":{')
    assert "[DONE]" not in "".join(frames)


# As deep as what a server can still decode, and no longer encode.
DEEP: dict[str, Any] = {}
for _ in range(500):
    DEEP = {"a": DEEP}
BAD: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"model": "nope:x"}, "model", "model_not_found"),
    ({"model": "roundtable/nope"}, "model", "model_not_found"),
    ({"messages": []}, "messages", "invalid_value"),
    ({"messages": [{"role": "function", "content": "x", "name": "f"}]}, "messages[0].role", "invalid_value"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "messages[0].content[0].type",
        "invalid_value",
    ),
    (
        {"messages": [{"role": "tool", "content": "x", "tool_call_id": "a"}]},
        "messages[0].tool_call_id",
        "invalid_value",
    ),
    (
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
                    ],
                },
                *WHY,
            ]
        },
        "messages",
        "invalid_value",
    ),
    ({"foo": 1}, "foo", "unknown_parameter"),
    ({"n": 2}, "n", "invalid_value"),
    ({"store": True}, "store", "invalid_value"),
    ({"audio": {}}, "audio", "unsupported_parameter"),
    ({"functions": []}, "functions", "unsupported_parameter"),
    ({"temperature": 3}, "temperature", "invalid_value"),
    ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
    ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].type", "invalid_value"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": DEEP}}]}, "tools", "invalid_value"),
    ({"roundtable": {"options": {"nope": 1}}}, "roundtable.options.nope", "invalid_value"),
    ({"roundtable": {"nope": 1}}, "roundtable.nope", "unknown_parameter"),
    ({"model": "roundtable/pair", "temperature": 1}, "temperature", "invalid_value"),
    ({"model": "roundtable/pair", "max_tokens": 100}, "max_tokens", "invalid_value"),
    ({"model": "roundtable/pair", "messages": [{"role": "system", "content": "x"}]}, "messages", "invalid_value"),
    ({"model": "roundtable/pair", "messages": [{"role": "user", "content": ""}]}, "messages", "invalid_value"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "param", "code"), BAD)
async def test_a_bad_request_names_its_parameter(
    client: Client, asked: dict[str, Any], param: str, code: str
) -> None:
    answer = await client.post("/v1/chat/completions", json={"model": SEAT, "messages": WHY, **asked})
    error = (await answer.json())["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert answer.status == (404 if code == "model_not_found" else 400)


async def test_what_the_server_itself_refuses_has_the_same_shape(
    aiohttp_client: Connect, tmp_path: Path
) -> None:
    client = await serve(aiohttp_client, data=tmp_path, secret="s3cret")
    where = "/v1/chat/completions"
    known = {"Authorization": "Bearer s3cret"}
    large = b'"' + b"x" * 1_100_000 + b'"'
    told = [
        await client.post(where, json={}),
        await client.post(where, data="{}", headers=known),
        await client.post(where, data="{", headers={**known, "Content-Type": "application/json"}),
        await client.post(
            where, data=io.BytesIO(large), headers={**known, "Content-Type": "application/json"}
        ),
        await client.get(where, headers=known),
    ]
    assert [each.status for each in told] == [401, 415, 400, 413, 405]
    codes = [(await each.json())["error"]["code"] for each in told]
    assert codes == [
        "invalid_api_key", "unsupported_media_type", None, "too_large", "method_not_allowed",
    ]  # fmt: skip


async def test_who_asks_too_often_is_told_when_to_come_back(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path, posts_per_second=0.001)
    _, refused = [await client.post("/v1/chat/completions", json={}) for _ in range(2)]
    assert (refused.status, refused.headers["x-should-retry"]) == (429, "true")
    assert int(refused.headers["Retry-After"]) > 1
    assert (await refused.json())["error"]["code"] == "rate_limit_exceeded"


async def test_a_full_house_is_an_error_to_programs(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path, panels=PANELS, max_streams=1)
    body = {"model": "roundtable/slow", "messages": WHY, "stream": True}
    async with client.post("/v1/chat/completions", json=body) as held:
        assert held.status == 200
        refused = await client.post("/v1/chat/completions", json=body)
    assert (refused.status, (await refused.json())["error"]["code"]) == (503, "too_many_streams")
    assert refused.headers["x-should-retry"] == "true"


async def test_the_key_of_the_package_is_the_secret(aiohttp_client: Connect, tmp_path: Path) -> None:
    client = await serve(aiohttp_client, data=tmp_path, secret="s3cret")
    async with AsyncOpenAI(base_url=str(client.make_url("/v1")), api_key="s3cret") as known:
        assert (await known.models.list()).data
    async with AsyncOpenAI(base_url=str(client.make_url("/v1")), api_key="wrong") as unknown:
        with pytest.raises(AuthenticationError):
            await unknown.models.list()


# -- leaving -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
async def test_who_leaves_before_a_word_ends_what_was_asked_of_the_model(
    client: Client, upstream: MisbehavingServer, streamed: bool
) -> None:
    body = {"model": "wire:m", "messages": WHY, "stream": streamed}
    asking = asyncio.create_task(client.post("/v1/chat/completions", json=body))
    await upstream.asked.wait()
    asking.cancel()
    await upstream.gone.wait()


async def test_who_leaves_amid_the_words_ends_what_was_asked_of_the_model(
    client: Client, upstream: MisbehavingServer
) -> None:
    upstream.steps = [HEAD, chunk(FRAME), Act.STALL]
    response = await client.post(
        "/v1/chat/completions", json={"model": "wire:m", "messages": WHY, "stream": True}
    )
    assert response.status == 200
    response.close()
    await upstream.gone.wait()


async def test_while_nothing_is_told_there_are_signs_of_life(
    client: Client, upstream: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving, "OPENING", 0.01)
    monkeypatch.setattr(giving, "HEARTBEAT", 0.01)
    body = {"model": "wire:m", "messages": WHY, "stream": True}
    async with client.post("/v1/chat/completions", json=body) as response:
        frames = [await response.content.readuntil(b"\n\n") for _ in range(3)]
    assert frames[0].startswith(b'data: {"id":"chatcmpl-')  # though the model has not said a word
    assert frames[1:] == [b": hb\n\n"] * 2
    await upstream.gone.wait()


async def test_nothing_of_an_answer_is_kept(openai: AsyncOpenAI, client: Client) -> None:
    await stream(openai, extra_body=script(text="Hello."))
    app = client.app
    assert app
    assert await app[keys.LOG].streams("invocation") == []


# -- panels --------------------------------------------------------------------------------------------------------


async def test_a_panel_is_told_speaker_by_speaker_though_all_speak_at_once(
    openai: AsyncOpenAI, client: Client
) -> None:
    asked = [{"role": "system", "content": "Be brief."}, *WHY]
    chunks = await stream(
        openai, model="roundtable/pair", messages=asked, stream_options={"include_usage": True}
    )
    assert words(chunks) == "**Ada:** One two.\n\n**Ben:** Three."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 3
    ours = [each.model_extra["roundtable"] for each in chunks]
    table = ours[0]["table"]
    assert {each["url"] for each in ours} == {f"/t/{table}"}
    told = [
        (each["panelist"], chunk.choices[0].delta.content)
        for each, chunk in zip(ours, chunks, strict=True)
        if chunk.choices and chunk.choices[0].delta.content
    ]
    assert dict(told).keys() == {"Ada", "Ben"}
    transcript = (await (await client.get(f"{TABLES}/{table}")).json())["transcript"]
    assert transcript["status"] == "closed"
    assert transcript["topic"] == "Why?\n\n[What was said before this question]\n\nInstructions: Be brief."


async def test_a_panel_takes_what_asks_for_nothing(openai: AsyncOpenAI) -> None:
    nothing: Any = {"presence_penalty": 0, "logprobs": False, "tools": [], "service_tier": "auto", "seed": 7}
    found = await openai.chat.completions.create(model="roundtable/pair", messages=WHY, **nothing)
    assert found.choices[0].finish_reason == "stop"


async def test_a_table_that_is_deleted_is_an_error_in_its_answer(client: Client) -> None:
    body = {"model": "roundtable/slow", "messages": WHY, "stream": True}
    async with client.post("/v1/chat/completions", json=body) as response:
        frame = await response.content.readuntil(b"\n\n")
        table = msgspec.json.decode(frame.removeprefix(b"data: "))["roundtable"]["table"]
        assert (await client.delete(f"{TABLES}/{table}")).status == 204
        *_, last, end = (await response.text()).split("\n\n")
    assert end == ""
    assert msgspec.json.decode(last.removeprefix("data: "))["error"]["code"] == "not_found"


async def test_who_fails_is_said(openai: AsyncOpenAI) -> None:
    found = await openai.chat.completions.create(model="roundtable/half", messages=WHY)
    content = found.choices[0].message.content
    assert content is not None
    assert content.startswith("**Ada:** One two.\n\n**Ben:** Three *(failed: The script fails here")


async def test_a_panel_of_which_nobody_could_speak_is_no_answer(openai: AsyncOpenAI) -> None:
    with pytest.raises(RateLimitError) as failed:
        await openai.chat.completions.create(model="roundtable/dead", messages=WHY)
    assert failed.value.code == "insufficient_quota"
    with pytest.raises(APIError):
        await stream(openai, model="roundtable/dead")


@pytest.mark.parametrize(
    ("panel", "detach", "reason"), [("slow", False, "command"), ("brief", True, "max_rounds")]
)
async def test_a_table_ends_with_its_caller_unless_detached(
    client: Client, panel: str, detach: bool, reason: str
) -> None:
    ours = {"detach": detach}
    body = {"model": f"roundtable/{panel}", "messages": WHY, "stream": True, "roundtable": ours}
    response = await client.post("/v1/chat/completions", json=body)
    frame = await response.content.readuntil(b"\n\n")
    table = msgspec.json.decode(frame.removeprefix(b"data: "))["roundtable"]["table"]
    response.close()
    app = client.app
    assert app
    closed = await until(app[keys.LOG], f"table/{table}", lambda transcript: transcript.status == "closed")
    assert closed.ended_reason == reason


@pytest.mark.parametrize(
    ("panel", "field"),
    [
        (Panel(policy="nope"), "panels.odd.policy"),
        (Panel(panel=(Panelist("Ada", "nope:x"),)), "panels.odd.panel[0].model"),
        (Panel(panel=(seated("Ada"), seated("Ada"))), "panels.odd.panel[1].name"),
        (Panel(panel=(seated("Ada"),), limits=Limits(max_rounds=0)), "panels.odd.limits.max_rounds"),
    ],
)
async def test_a_panel_that_could_never_be_held_refuses_to_start(panel: Panel, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await Panels({"odd": panel}).check(Catalog({}))
    assert refused.value.field == field


async def test_a_panel_that_lacks_a_key_is_refused_only_when_it_is_asked(
    aiohttp_client: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    keyless = Panel(panel=(Panelist("Ada", "anthropic:claude"),))
    client = await serve(aiohttp_client, data=tmp_path, panels={"keyless": keyless})
    body = {"model": "roundtable/keyless", "messages": WHY}
    refused = await client.post("/v1/chat/completions", json=body)
    assert (refused.status, (await refused.json())["error"]["code"]) == (400, "not_configured")


# -- models --------------------------------------------------------------------------------------------------------


async def test_models_are_seats_and_panels(openai: AsyncOpenAI) -> None:
    listed = [each.id async for each in openai.models.list()]
    assert {"scripted:pragmatist", "roundtable/default", "roundtable/pair"} <= set(listed)
    assert (await openai.models.retrieve("scripted:any/thing")).owned_by == "scripted"
    assert (await openai.models.retrieve("roundtable/pair")).owned_by == "roundtable"
    for name in ("roundtable/none", "none:x", "none"):
        with pytest.raises(NotFoundError):
            await openai.models.retrieve(name)
