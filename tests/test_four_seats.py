"""One table, four voices of different kinds, at once and in turn, on both stores.

llama.cpp in a child process, llama.cpp behind its own compatible server, and servers that speak the Messages and the
Responses dialect on the wire.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from protocol.transcript import Transcript, fold
from tests import misbehaving_messages, misbehaving_responses, test_llama_server, tiny_gguf
from tests.misbehaving import MisbehavingServer
from tests.redis_server import RedisServer
from tests.server_process import plain, serving, whole

pytestmark = test_llama_server.pytestmark
base_url = test_llama_server.base_url
SHORT = {"max_tokens": 16, "temperature": 0}
TURNS = 8
CONFIG = """
model_folders = ["models"]
[providers.tiny]
dialect = "openai"
base_url = "{compatible}"
[providers.claude]
dialect = "anthropic"
base_url = "{messages}"
[providers.gpt]
dialect = "responses"
base_url = "{responses}"
"""
PANEL: list[dict[str, Any]] = [
    {"name": "Ada", "model": "llama:tiny", "options": {**SHORT, "context": 4096}},
    {"name": "Ben", "model": "tiny:tiny", "options": SHORT},
    {"name": "Cleo", "model": "claude:m"},
    {"name": "Dora", "model": "gpt:m"},
]


@pytest.fixture(scope="module", autouse=True)
def room() -> Iterator[None]:
    """A prompt of a table is some 2,000 bytes, each a token to this model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_gguf, "CONTEXT", 8192)
        yield


@pytest.mark.parametrize("policy", ["round_robin", "parallel"])
@pytest.mark.parametrize("store", ["sqlite", "redis"])
async def test_four_voices_at_one_table(
    tmp_path: Path, base_url: str, redis_server: RedisServer, store: str, policy: str
) -> None:
    (tmp_path / "models").mkdir()
    tiny_gguf.write(tmp_path / "models" / "tiny.gguf")
    async with AsyncExitStack() as stack:
        messages = await stack.enter_async_context(MisbehavingServer(misbehaving_messages.WIRE["usage"]))
        responses = await stack.enter_async_context(MisbehavingServer(misbehaving_responses.WIRE["usage"]))
        config = tmp_path / "roundtable.toml"
        config.write_text(CONFIG.format(compatible=base_url, messages=messages.url, responses=responses.url))
        options = ["--redis", redis_server.url] if store == "redis" else []
        server = await stack.enter_async_context(serving(tmp_path, "--config", str(config), *options))
        table = await server.convene(panel=PANEL, policy=policy, limits={"max_turns": TURNS})
        log, late = await asyncio.gather(whole(server, table), whole(server, table))
        told = await server.transcript(table)
    transcript = fold(log)
    assert late == log
    assert told == plain(transcript)
    check(transcript, at_once=policy == "parallel")


def check(transcript: Transcript, *, at_once: bool) -> None:
    """Everyone spoke once a round, each in her own words and with what it took."""
    assert (transcript.status, transcript.ended_reason) == ("closed", "max_turns")
    names = [str(seat["name"]) for seat in PANEL]
    assert [(turn.panelist, turn.round, turn.status) for turn in transcript.turns] == [
        (name, number, "completed") for number in (1, 2) for name in names
    ]
    for turn in transcript.turns:
        assert turn.usage is not None
        assert min(turn.usage.input, turn.usage.output) > 0
        assert turn.text == "Yes." if turn.panelist in ("Cleo", "Dora") else len(turn.text) == 16
    for number in (1, 2):
        *others, last = (turn for turn in transcript.turns if turn.round == number)
        before = [turn.ended_at <= last.started_at for turn in others]
        assert not any(before) if at_once else all(before)
