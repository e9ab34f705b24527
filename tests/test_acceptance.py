"""The running program as a stranger meets it when something below it fails: every trouble is named in a sentence, no
traceback and no secret is anywhere, and what was answered is kept."""

import asyncio
import json
import resource
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from protocol import events as e
from protocol.events import Entry
from tests import misbehaving, tiny_gguf
from tests.cluster import counting
from tests.redis_server import RedisServer
from tests.server_process import Server, serving
from tests.serving import TABLES

KEY = "sk-a-key-that-nobody-may-see-0123456789"
WORDS = 150
Change = Callable[[RedisServer], object]
# Every form in which a table leaves the program.
FORMS = [
    "",
    "/events",
    "/replay?speed=100",
    *(f"/export?format={form}" for form in ("md", "html", "json", "jsonl")),
]


@asynccontextmanager
async def quiet(folder: Path, *options: str, **environ: str) -> AsyncIterator[Server]:
    """A server that, whatever happens to it, writes neither a traceback nor the key."""
    with (folder / "stderr").open("w+b") as errors:
        async with serving(folder / "data", *options, errors=errors, environ=environ) as server:
            yield server
        errors.seek(0)
        said = errors.read().decode()
    assert "Traceback" not in said, said
    assert KEY not in said


def configured(name: str, value: str) -> Change:
    return lambda server: server.run("CONFIG", "SET", name, value)


def replica_of(host: str, port: str) -> Change:
    return lambda server: server.run("REPLICAOF", host, port)


async def get(server: Server, path: str) -> tuple[int, Any]:
    async with ClientSession() as session, session.get(server.url + path) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.content_type.endswith(
            "json"
        ) and "\n" not in text else text


async def tried(server: Server, table: str, key: str) -> tuple[int, dict[str, Any]]:
    """Say the key at the table, whatever comes of it."""
    url, said = f"{server.url}{TABLES}/{table}/commands", {"type": "say", "text": key}
    async with (
        ClientSession() as session,
        session.post(url, json=said, headers={"Idempotency-Key": key}) as response,
    ):
        return response.status, await response.json()


def words(entries: Iterable[Entry]) -> str:
    return "".join(entry.event.text for entry in entries if isinstance(entry.event, e.TurnDelta))


def said(entries: Iterable[Entry]) -> list[str]:
    return [entry.event.text for entry in entries if isinstance(entry.event, e.MessagePosted)]


async def speak(viewer: AsyncIterator[Entry], seen: list[Entry], count: int) -> None:
    """Watch until so many more words were spoken."""
    until = len(words(seen).split()) + count
    while len(words(seen).split()) < until:
        seen.append(await anext(viewer))


async def outlives(server: Server, harm: Callable[[], object], heal: Callable[[], object]) -> None:
    """A table under way, its viewer and what people were answered, while the store takes nothing for a time."""
    table = await server.convene(panel=[counting("Ada", WORDS, 100)], limits={"max_turns": 1})
    viewer, seen = server.follow(table), list[Entry]()
    await speak(viewer, seen, 20)
    assert (await tried(server, table, "before"))[0] == 200
    await asyncio.to_thread(harm)
    status, problem = await tried(server, table, "meanwhile")
    assert (status, problem["code"], problem["retryable"]) == (503, "log_unavailable", True)
    assert (await get(server, "/readyz"))[0] == 503
    await asyncio.to_thread(heal)
    await speak(viewer, seen, 20)
    assert (await tried(server, table, "after"))[0] == 200
    seen += [entry async for entry in viewer]
    assert words(seen).split() == [str(number) for number in range(WORDS)]
    assert [entry.cursor.seq for entry in seen] == list(range(1, len(seen) + 1))
    assert [text for text in said(seen) if text != "meanwhile"] == ["before", "after"]


@pytest.mark.parametrize(
    ("harm", "heal"),
    [
        (RedisServer.kill, RedisServer.start),
        (configured("maxmemory", "1"), configured("maxmemory", "0")),
        (replica_of("127.0.0.1", "1"), replica_of("NO", "ONE")),
    ],
    ids=["gone", "full", "read-only"],
)
async def test_a_table_outlives_the_troubles_of_redis(
    tmp_path: Path, redis_server: RedisServer, harm: Change, heal: Change
) -> None:
    async with quiet(tmp_path, "--redis", redis_server.url) as server:
        await outlives(server, lambda: harm(redis_server), lambda: heal(redis_server))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
async def test_a_table_outlives_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    async with quiet(tmp_path) as server:
        free = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)

        def full() -> None:
            size = (tmp_path / "data" / "roundtable.db-wal").stat().st_size
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, free[1]))

        await outlives(server, full, lambda: resource.prlimit(server.pid, resource.RLIMIT_FSIZE, free))


async def test_a_file_that_is_damaged_under_a_server_is_named(tmp_path: Path) -> None:
    async with quiet(tmp_path) as server:
        table = await server.convene(panel=[counting("Ada", 5000, 0)], limits={"max_turns": 1})
        async for _ in server.follow(table):
            pass
        server.signal(signal.SIGTERM)
        await server.ended()  # and all of it is in the one file
    async with quiet(tmp_path) as server:
        await server.convene(panel=[counting("Ada", 5000, 100)])  # a table under way
        file = tmp_path / "data" / "roundtable.db"
        with file.open("r+b") as pages:
            pages.seek(4 * 4096)
            pages.write(b"\xff" * (file.stat().st_size - 4 * 4096))
        for form in FORMS:
            status, problem = await get(server, f"{TABLES}/{table}{form}")
            assert (status, problem["code"]) == (500, "log_damaged"), form
            assert "restore the file from a backup" in problem["detail"]
        assert (await get(server, TABLES))[1]["unreadable"][-1] == table
        assert (await get(server, "/healthz"))[0] == 200


@pytest.mark.parametrize("store", ["sqlite", "redis"])
async def test_of_a_deleted_table_nothing_is_left(
    tmp_path: Path, redis_server: RedisServer, store: str
) -> None:
    options = ["--redis", redis_server.url] if store == "redis" else []
    redis_server.run("CONFIG", "SET", "rdbcompression", "no")  # a dump shows what it holds

    def left(text: str) -> bool:
        files = (path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
        with redis_server.client() as client:
            kept = [client.dump(key) for key in client.scan_iter()]
        return any(text.encode() in each for each in [*files, *kept])

    async with quiet(tmp_path, *options) as server:
        table = await server.convene(topic="topic-of-it", panel=[counting("Ada", 500, 50)])
        await speak(server.follow(table), [], 5)
        assert (await tried(server, table, "word-of-mouth"))[0] == 200
        assert (left("topic-of-it"), left("word-of-mouth")) == (True, True)
        await server.delete(table)
        assert {(await get(server, f"{TABLES}/{table}{form}"))[0] for form in FORMS} == {404}
        assert (left("topic-of-it"), left("word-of-mouth")) == (False, False)


async def test_a_refused_key_and_a_damaged_model_cost_their_turns_and_nothing_else(tmp_path: Path) -> None:
    refusal = misbehaving.error(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key")
    tiny_gguf.write(tmp_path / "half.gguf")
    whole = (tmp_path / "half.gguf").read_bytes()
    (tmp_path / "half.gguf").write_bytes(whole[: len(whole) // 2])
    async with misbehaving.MisbehavingServer([refusal]) as vendor:
        environ = {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": vendor.url,
            "ROUNDTABLE_MODEL_FOLDERS": str(tmp_path),
        }
        async with quiet(tmp_path, **environ) as server:
            seats = [{"name": "Gus", "model": "openai:gpt"}, {"name": "Lea", "model": "llama:half"}]
            table = await server.convene(panel=[counting("Ada", 3, 0), *seats], limits={"max_rounds": 2})
            async for _ in server.follow(table):
                pass
            told = await server.transcript(table)
            shown = [(await get(server, f"{TABLES}/{table}{form}"))[1] for form in FORMS]
            shown += [(await get(server, f"/v1/{name}"))[1] for name in ("providers", "models")]
    ended = [(turn["panelist"], turn["status"]) for turn in told["turns"]]
    assert ended == [("Ada", "completed"), ("Gus", "failed"), ("Lea", "failed"), ("Ada", "completed")]
    refused, damaged = told["turns"][1]["error"], told["turns"][2]["error"]
    assert (refused["code"], refused["detail"]) == ("auth", "OpenAI refused the key; check OPENAI_API_KEY.")
    assert damaged["detail"].startswith("half cannot be loaded: ")
    assert KEY not in json.dumps(shown)
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
