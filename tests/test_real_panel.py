"""Tables with real token loops: llama.cpp behind its own OpenAI-compatible server, and in child processes of ours."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.codec import decode_body
from protocol.events import TurnDelta
from protocol.messages import Limits, Panelist
from protocol.transcript import Transcript, apply, fold
from providers.llama.provider import LlamaProvider
from roundtable.sdk.local import local
from tests import test_llama_server, tiny_gguf
from tests.server_process import serving, whole
from tests.test_llama import pid_of

pytestmark = test_llama_server.pytestmark
base_url = test_llama_server.base_url
SHORT = {"max_tokens": 16, "temperature": 0}


@pytest.fixture(scope="module", autouse=True)
def room() -> Iterator[None]:
    """A prompt of a table is some 1,500 bytes, each a token to this model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_gguf, "CONTEXT", 4096)
        yield


async def test_real_models_and_a_script_hold_a_table(tmp_path: Path, base_url: str) -> None:
    config = tmp_path / "roundtable.toml"
    config.write_text(f'[providers.tiny]\ndialect = "openai"\nbase_url = "{base_url}"\n')
    panel = [
        {"name": "Ada", "model": "tiny:tiny", "options": SHORT},
        {"name": "Ben", "model": "scripted:x", "options": {"text": "So it is.", "rate": 0}},
        {"name": "Cleo", "model": "tiny:tiny", "options": SHORT},
    ]
    async with serving(tmp_path, "--config", str(config)) as server:
        table = await server.convene(panel=panel, limits={"max_turns": 6})
        transcript = fold(await whole(server, table))
    assert (transcript.status, transcript.ended_reason) == ("closed", "max_turns")
    assert [(turn.panelist, turn.status) for turn in transcript.turns] == [
        (name, "completed") for name in ("Ada", "Ben", "Cleo") * 2
    ]
    for turn in transcript.turns:
        real = turn.model == "tiny:tiny"
        assert (turn.stop_reason, len(turn.text)) == ("length" if real else "end", 16 if real else 9)
        assert turn.usage is not None
        assert turn.usage.estimated is real  # llama-cpp-python counts nothing in a stream
        assert min(turn.usage.input, turn.usage.output) > 0


async def test_two_seats_on_one_file_hold_a_table(tmp_path: Path) -> None:
    tiny_gguf.write(tmp_path / "tiny.gguf")
    config = tmp_path / "roundtable.toml"
    config.write_text('model_folders = ["."]\n')
    panel = [{"name": name, "model": "llama:tiny", "options": SHORT} for name in ("Ada", "Ben")]
    async with serving(tmp_path, "--config", str(config)) as server:
        table = await server.convene(panel=panel, limits={"max_turns": 4})
        transcript = fold(await whole(server, table))
    assert (transcript.status, transcript.ended_reason) == ("closed", "max_turns")
    turns = transcript.turns
    assert [(turn.panelist, turn.status, turn.stop_reason, len(turn.text)) for turn in turns] == [
        (name, "completed", "length", 16) for name in ("Ada", "Ben") * 2
    ]
    usages = [turn.usage for turn in turns if turn.usage]
    assert [(usage.estimated, usage.output) for usage in usages] == [(False, 16)] * 4
    # In their second turns both go on from their own first: who they are, the topic, and what was said till then.
    assert all(usage.cached > usage.input // 2 for usage in usages[2:])


async def test_a_killed_model_fails_its_turn_and_speaks_again_in_the_next(tmp_path: Path) -> None:
    tiny_gguf.write(tmp_path / "tiny.gguf")
    llama = LlamaProvider((tmp_path,), {})
    ada = Panelist("Ada", "llama:tiny", options={"max_tokens": 1_000})
    transcript = Transcript()
    async with local(models={"llama": llama}) as streams:
        table, _ = await streams.convene("Why?", [ada], limits=Limits(max_turns=2))
        async for record in streams.records(table):
            entry = decode_body(*record)
            apply(transcript, entry)
            if isinstance(entry.event, TurnDelta) and transcript.turns[0].status == "started":
                for child in llama.children.all:
                    os.kill(pid_of(child), signal.SIGKILL)
    failed, again = transcript.turns
    assert failed.error is not None
    assert (failed.status, failed.error.code, failed.error.retryable) == ("failed", "internal", True)
    assert failed.text
    assert (again.status, again.panelist) == ("completed", "Ada")
