"""How much room a prompt has, by what her model holds and who says so."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from protocol import events as e
from protocol.errors import ProviderError
from protocol.kinds import VERDICT
from protocol.messages import Failure, Panelist
from protocol.transcript import Transcript
from providers import prices
from providers.base import Chunk, Request, Windows
from providers.catalog import Catalog
from providers.llama.provider import LlamaProvider
from providers.openai import OpenAIProvider
from providers.presets import PRESETS
from roundtable.deliberation.brief import Brief
from roundtable.deliberation.record import ROOM, WHOLE_ROOM
from roundtable.table import window
from roundtable.table.projection import NOTHING, project
from tests import fake_time
from tests.misbehaving import MisbehavingServer, answer
from tests.scene import Scene, Voices
from tests.tables import ADA, BEN, opened, transcript, turn
from tests.test_counting import asked


def table(*events: e.Event, kind: str = "speech", panelist: Panelist = ADA) -> Transcript:
    started = transcript(*opened(panelist, BEN), *events)
    number = f"t{len(started.turns) + 1}"
    queued = e.TurnQueued(turn=number, panelist=panelist.name, kind=kind)
    return transcript(*opened(panelist, BEN), *events, queued)


def room(tokens: int | None, *events: e.Event, brief: Brief = NOTHING, **given: Any) -> int:
    held = table(*events, **given)
    seat = held.seat("Ada")
    assert seat is not None
    return window.room(held, held.turns[-1], seat, brief, tokens)


def test_a_large_window_is_not_filled_because_it_is_there() -> None:
    assert room(1_000_000) == room(None) == ROOM
    assert room(1_000_000, kind=VERDICT) == WHOLE_ROOM, "but the verdict is of all that was said"


def test_a_small_window_leaves_what_the_answer_and_our_own_words_do() -> None:
    assert 4_000 <= room(4_096) <= 4_096 * 4 - 4_096
    assert room(4_096, brief=Brief(most=100)) > room(4_096)
    assert room(300) == 1
    held = table(*(event for number in range(1, 20) for event in turn(number, "Ben", "word " * 200)))
    for tokens in (2_048, 4_096, 8_192):
        sent = project(held, ADA, room=window.room(held, held.turns[-1], ADA, Brief(), tokens))
        assert sent.characters() / 4 <= tokens * 3 / 4, "with a quarter for the answer"


def test_pictures_take_room_from_what_was_said_where_they_are_seen() -> None:
    put = e.MaterialAdded(
        material="d1", name="a.png", media_type="image/png", form="image", size=9, sha256="ab"
    )
    held = table(put, *turn(1, "Ben"))
    blind, seeing = (
        window.room(held, held.turns[-1], ADA, Brief(), 8_192, sees=sees) for sees in (False, True)
    )
    assert 4_000 < blind - seeing < 8_000, "of some four characters each, less a margin"


def test_material_and_what_was_said_share_a_small_window_and_fit_a_large_one() -> None:
    put = e.MaterialAdded(
        material="d1", name="a.txt", media_type="text/plain", form="text", size=50_000, sha256="0",
        text="word " * 10_000,
    )  # fmt: skip
    held = table(put, *(event for number in range(1, 20) for event in turn(number, "Ben", "said " * 200)))
    for tokens in (4_096, 8_192, 16_384):
        has = window.room(held, held.turns[-1], ADA, Brief(), tokens)
        sent = project(held, ADA, room=has)
        assert sent.characters() / 4 <= tokens * 3 / 4
        shown, said = (
            sum(message.text.count(word) for message in sent.messages) for word in ("word ", "said ")
        )
        assert shown > said > 100
        assert "of it are left out here" in sent.messages[0].text
    assert room(200_000, put) == ROOM
    assert project(held, ADA, room=ROOM).messages[0].text.count("word ") == 10_000


def test_what_the_model_counted_goes_before_a_guess_and_moves_nothing_by_little() -> None:
    half = room(8_192, *asked(1, 4_000, 2_000))
    assert half < room(8_192)
    assert room(8_192, *asked(1, 4_000, 2_010)) == half, (
        "a beginning that moves with each count is never cached"
    )
    assert room(8_192, *turn(1, "Ben", "失败率" * 900)) < half, "before any count, by what is spoken here"


def test_a_prompt_that_was_refused_as_too_long_is_halved() -> None:
    who: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
    refused = Failure("context_overflow", "Too long.")
    failed: list[e.Event] = [e.TurnQueued(**who), e.TurnStarted(**who, model=ADA.model, room=20_000)]
    failed.append(e.TurnFailed(**who, error=refused))
    assert room(None, *failed) == 10_000
    assert room(None, *failed, *turn(2, "Ben")) == 10_000
    swapped = e.PanelChanged(change="swapped", panelist="Ada", seat=Panelist("Ada", "scripted:large"))
    assert room(None, *failed, swapped) == ROOM, "another model has refused nothing"


def test_who_was_asked_too_much_is_asked_again_with_less_and_then_answers() -> None:
    """Three times as much as her model holds, though nobody knows how much that is."""

    class Small(Voices):
        async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
            if request.speaker == "Ada" and len(request.messages[-1].text) > 12_000:
                raise ProviderError("Too long.", code="context_overflow", retryable=False)
            async with aclosing(super().stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def play() -> Transcript:
        long = ["word " * 100] * 14
        scene = Scene(
            "round_robin", {"Ben": long, "Cleo": long, "Dag": long, "Ada": ["I am here."]}, max_rounds=5
        )
        scene.voices = Small(scene.voices.scripts, scene.log)
        scene.owner = scene.new_owner()
        return await scene.play()

    table = fake_time.run(play())
    hers = [turn for turn in table.turns if turn.panelist == "Ada"]
    assert {turn.status for turn in hers} == {"completed", "failed"}
    assert hers[-1].status == "completed"
    assert not table.absent


def test_the_price_list_knows_what_vendors_models_hold() -> None:
    assert prices.window("anthropic:claude-sonnet-4-5") == 200_000
    assert prices.window("openai:gpt-5.4-mini") == 400_000
    assert prices.window("openai:no-such-model-9") is None
    assert prices.window("ollama:llama3.2") is None
    assert prices.window("nobody:x") is None


async def test_of_her_own_model_and_her_fallbacks_the_smallest_counts() -> None:
    catalog = Catalog({"ANTHROPIC_API_KEY": "k", "GROQ_API_KEY": "k"})
    seat = Panelist("Ada", "anthropic:claude-sonnet-4-5", fallback=["groq:openai/gpt-oss-120b", "scripted:x"])
    assert window.window(catalog, seat) == 131_072
    assert window.window(catalog, ADA) is None
    await catalog.close()


def listed(**members: object) -> bytes:
    return answer(200, json.dumps({"data": [{"id": "one", **members}, {"id": "two"}]}).encode())


@pytest.mark.parametrize(
    ("members", "tokens"),
    [
        ({"max_model_len": 8_192}, 8_192),
        ({"context_length": 32_768}, 32_768),
        ({"context_window": 131_072}, 131_072),
        ({"loaded_context_length": 4_096, "max_context_length": 131_072, "context_length": 9}, 4_096),
        ({"meta": {"n_ctx": 2_048, "n_ctx_train": 131_072}}, 2_048),
        ({"max_model_len": "long", "meta": None, "context_window": True}, None),
        ({"meta": "none"}, None),
        ({"context_length": -1}, None),
    ],
)
async def test_what_a_server_lists_is_what_its_model_holds(
    members: dict[str, Any], tokens: int | None
) -> None:
    async with MisbehavingServer([listed(**members)]) as server:
        provider = OpenAIProvider(msgspec.structs.replace(PRESETS["vllm"], base_url=server.url))
        assert provider.window("one", {}) is None
        assert await provider.models(5.0) == ["one", "two"]
        assert (provider.window("one", {}), provider.window("two", {})) == (tokens, None)
        await provider.close()


@pytest.mark.parametrize(
    ("loaded", "tokens"),
    [
        ({"models": [{"name": "two", "context_length": 32_768}]}, 32_768),
        ({"models": [{"name": "two"}]}, 4_096),
        (["no", "such", "thing"], 4_096),
        (None, 4_096),
    ],
)
async def test_ollama_tells_of_what_is_loaded_and_cuts_the_rest_at_its_default(
    aiohttp_server: Callable[[web.Application], Awaitable[TestServer]], loaded: Any, tokens: int
) -> None:
    async def models(_request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "one"}, {"id": "two"}]})

    async def ps(_request: web.Request) -> web.Response:
        return web.json_response(loaded, status=200 if loaded else 404)

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_get("/api/ps", ps)
    server = await aiohttp_server(app)
    preset = msgspec.structs.replace(PRESETS["ollama"], base_url=str(server.make_url("/v1")))
    provider = OpenAIProvider(preset)
    assert await provider.models(5.0) == ["one", "two"]
    assert (provider.window("one", {}), provider.window("two", {})) == (4_096, tokens)
    await provider.close()


async def test_ollamas_default_is_the_environments_where_it_says_one() -> None:
    for environ, tokens in (
        ({"OLLAMA_CONTEXT_LENGTH": "16384"}, 16_384),
        ({"OLLAMA_CONTEXT_LENGTH": "?"}, 4_096),
    ):
        catalog = Catalog(environ)
        provider, _ = catalog.resolve("ollama:any")
        assert isinstance(provider, Windows)
        assert provider.window("any", {}) == tokens
        await catalog.close()


async def test_a_file_holds_what_it_is_asked_to_until_it_is_loaded(tmp_path: Any) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    provider = LlamaProvider([tmp_path], {})
    assert provider.window("tiny", {}) == 8_192
    assert provider.window("tiny", {"context": 512}) == 512
    assert provider.window("none", {}) is None
    assert provider.window("tiny", {"context": "much"}) is None
    await provider.close()
