"""`/generate/stream`: a model on this machine goes on with a text, token by token, as its caller sees it."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.base import Stop, Text, Token
from providers.llama.provider import LlamaProvider, installed
from roundtable.edge import keys
from tests import chain_gguf, tiny_gguf
from tests.serving import Client, Connect, problem, serve
from tests.test_llama import pid_of
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    not installed(),
    reason="llama-cpp-python is not installed; it is compiled, and so the optional extra `local`",
)
GREEDY = {"temperature": 0}
# A word, a character of four bytes, and the beginning of another that is never finished.
PIECES: list[chain_gguf.Piece] = ["Hello", " you", 0xF0, 0x9F, 0x8C, 0x8D, 0xC3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    chain_gguf.write(folder / "chain.gguf", PIECES)
    chain_gguf.write(folder / "hush.gguf", ["Hello"], ends=False)
    tiny_gguf.write(folder / "tiny.gguf")
    return folder


async def client(connect: Connect, folder: Path, data: Path) -> Client:
    return await serve(connect, data=data, model_folders=[folder])


async def data(client: Client, **body: Any) -> list[str]:
    """The data of each frame, which must have nothing else."""
    async with client.post("/generate/stream", json=body) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        text = (await response.read()).decode()
    frames = [frame for frame in text.split("\n\n") if frame and not frame.startswith(":")]
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    return [frame.removeprefix("data: ") for frame in frames]


async def told(client: Client, **body: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The tokens and the end of a text that came to one."""
    *tokens, end, done = await data(client, **body)
    assert done == "[DONE]"
    return [msgspec.json.decode(token) for token in tokens], msgspec.json.decode(end)


async def test_a_frame_for_each_token_and_whole_characters(
    aiohttp_client: Connect, folder: Path, tmp_path: Path
) -> None:
    caller = await client(aiohttp_client, folder, tmp_path)
    tokens, end = await told(caller, prompt="Well?", **GREEDY)  # without a model: the first there is
    assert [token["index"] for token in tokens] == list(range(7))
    assert [token["text"] for token in tokens] == ["Hello", " you", "", "", "", "🌍", ""]
    assert [token["token"] for token in tokens[2:6]] == [3 + byte for byte in "🌍".encode()]
    assert end["text"] == "\ufffd"  # what was never finished, once
    assert (end["finish_reason"], end["usage"]["completion_tokens"]) == ("stop", 7)
    assert end["usage"]["total_tokens"] == end["usage"]["prompt_tokens"] + 7


async def test_a_limit_and_a_stop_sequence(aiohttp_client: Connect, folder: Path, tmp_path: Path) -> None:
    caller = await client(aiohttp_client, folder, tmp_path)
    tokens, end = await told(caller, model="llama:chain", prompt="", max_tokens=4, **GREEDY)
    assert ([token["text"] for token in tokens], end["text"]) == (["Hello", " you", "", ""], "\ufffd")
    assert end["finish_reason"] == "length"
    tokens, end = await told(caller, prompt="x", stop=["lo y"], **GREEDY)
    assert ([token["text"] for token in tokens], end["text"]) == (["Hel", ""], "")
    assert end["finish_reason"] == "stop"
    tokens, end = await told(caller, prompt="x", stop="you!", max_tokens=2, **GREEDY)
    assert ([token["text"] for token in tokens], end["text"]) == (["Hello", " "], "you")


async def test_all_at_once(aiohttp_client: Connect, folder: Path, tmp_path: Path) -> None:
    caller = await client(aiohttp_client, folder, tmp_path)
    response = await caller.post("/generate/stream", json={"prompt": "x", "stream": False, **GREEDY})
    assert response.content_type == "application/json"
    whole = await response.json()
    tokens, _ = await told(caller, prompt="x", **GREEDY)
    assert whole["model"] == "llama:chain"
    assert whole["text"] == "Hello you🌍\ufffd"
    assert whole["tokens"] == [token["token"] for token in tokens]
    assert (whole["finish_reason"], whole["usage"]["completion_tokens"]) == ("stop", 7)


async def test_token_by_token_it_is_what_llama_cpp_itself_generates(folder: Path) -> None:
    import llama_cpp  # noqa: PLC0415 - it may not be there

    prompt, count = "Once upon a time", 48
    theirs = llama_cpp.Llama(str(folder / "tiny.gguf"), n_ctx=512, n_threads=1, verbose=False)
    text = theirs.create_completion(prompt, max_tokens=count, temperature=0, repeat_penalty=1.0)["choices"][
        0
    ]["text"]
    loop = theirs.generate(theirs.tokenize(prompt.encode(), special=True), temp=0, repeat_penalty=1.0)
    expected = [int(next(loop)) for _ in range(count)]
    ours = LlamaProvider([folder], os.environ)
    told = [each async for each in ours.generate("tiny", prompt, count, {"temperature": 0, "threads": 1})]
    await ours.close()
    assert [token.id for token in told if isinstance(token, Token)] == expected
    assert "".join(part.text for part in told if isinstance(part, Token | Text)) == text
    assert isinstance(told[-1], Stop)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "invalid", "prompt")),
        ({"prompt": "x", "temprature": 1}, (400, "invalid", "temprature")),
        ({"prompt": "x", "temperature": -1}, (400, "invalid", "temperature")),
        ({"prompt": "x", "stop": [""]}, (400, "invalid", "stop[0]")),
        ({"prompt": "x", "model": "llama:chian"}, (400, "invalid", "model")),
        ({"prompt": "x", "model": "scripted:ada"}, (400, "invalid", "model")),
        ({"prompt": "word " * 200_000, "model": "llama:tiny"}, (400, "context_overflow", "")),
        ({"prompt": "word " * 100, "model": "llama:tiny"}, (400, "context_overflow", "")),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_a_problem_document(
    aiohttp_client: Connect,
    folder: Path,
    tmp_path: Path,
    body: dict[str, Any],
    expected: tuple[int, str, str],
) -> None:
    caller = await client(aiohttp_client, folder, tmp_path)
    assert await problem(await caller.post("/generate/stream", json=body)) == expected


async def test_without_a_model_there_is_a_clear_refusal(aiohttp_client: Connect, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    caller = await client(aiohttp_client, tmp_path / "none", tmp_path)
    response = await caller.post("/generate/stream", json={"prompt": "x"})
    assert await problem(response) == (400, "not_configured", "model")


async def test_who_leaves_ends_it(aiohttp_client: Connect, folder: Path, tmp_path: Path) -> None:
    caller = await client(aiohttp_client, folder, tmp_path)
    assert caller.app is not None
    invocations = caller.app[keys.INVOCATIONS]
    response = await caller.post(
        "/generate/stream", json={"prompt": "x", "model": "llama:hush", "max_tokens": 8000, **GREEDY}
    )
    await response.content.readuntil(b"Hello")
    assert invocations._fleeting
    response.close()
    await until(lambda: not invocations._fleeting)


async def test_a_server_that_stops_says_so(aiohttp_client: Connect, folder: Path, tmp_path: Path) -> None:
    caller = await client(aiohttp_client, folder, tmp_path)
    asked = {"prompt": "x", "model": "llama:hush", "max_tokens": 8000, **GREEDY}
    async with caller.post("/generate/stream", json=asked) as response:
        await response.content.readuntil(b"Hello")
        assert caller.app is not None
        await caller.app[keys.FLEETING].close()
        *_, last = (await response.read()).decode().strip().split("\n\n")
    error = msgspec.json.decode(last.removeprefix("data: "))["error"]
    assert (error["code"], error["retryable"]) == ("log_unavailable", True)


async def test_what_breaks_after_the_first_token_is_an_error_in_the_stream(
    aiohttp_client: Connect, folder: Path, tmp_path: Path
) -> None:
    caller = await client(aiohttp_client, folder, tmp_path)
    asked = {"prompt": "x", "model": "llama:hush", "max_tokens": 8000, **GREEDY}
    async with caller.post("/generate/stream", json=asked) as response:
        await response.content.readuntil(b"Hello")
        assert caller.app is not None
        (child,) = caller.app[keys.CATALOG]._llama.children.all
        os.kill(pid_of(child), signal.SIGKILL)
        *_, last = (await response.read()).decode().strip().split("\n\n")
    assert msgspec.json.decode(last.removeprefix("data: "))["error"]["code"] == "internal"


async def test_many_at_once_are_what_each_is_alone(
    aiohttp_client: Connect, folder: Path, tmp_path: Path
) -> None:
    caller = await client(aiohttp_client, folder, tmp_path)
    prompts = [f"The beginning of {number}" for number in range(6)]
    asked = {"model": "llama:tiny", "max_tokens": 12, **GREEDY}
    alone = [await told(caller, prompt=prompt, **asked) for prompt in prompts]
    together = await asyncio.gather(*(told(caller, prompt=prompt, **asked) for prompt in prompts))
    assert [tokens for tokens, _ in together] == [tokens for tokens, _ in alone]
