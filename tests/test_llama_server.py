"""The dialect against a real server: llama.cpp's tokenizer and token loop behind its own OpenAI-compatible API."""

import asyncio
import importlib.util
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from protocol.messages import Message
from providers.base import Request, Stop, Text
from providers.catalog import Catalog
from providers.placement import Custom
from tests import tiny_gguf
from tests.test_providers import PATIENCE, Heard, ask, listen

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None,
    reason="llama-cpp-python is not installed; it is compiled, and so the optional extra `local`",
)


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    tiny_gguf.write(model)
    options = {"host": "127.0.0.1", "port": 0, "model": model, "model_alias": "tiny", "verbose": False}
    options |= {"n_ctx": tiny_gguf.CONTEXT, "n_threads": 1}
    command = [sys.executable, "-m", "llama_cpp.server"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield _address(server) + "/v1"
    finally:
        server.terminate()
        server.communicate(timeout=30)


def _address(server: subprocess.Popen[str]) -> str:
    """Where it listens, by its own account; its last words when it ends instead."""
    assert server.stderr is not None
    said = ""
    for line in server.stderr:
        said += line
        if found := re.search(r"running on (http://\S+)", line):
            return found[1]
    pytest.fail(f"the server did not start:\n{said}")


@pytest.fixture
async def catalog(base_url: str) -> AsyncIterator[Catalog]:
    catalog = Catalog({}, {"llama-server": Custom("openai", base_url)})
    yield catalog
    await catalog.close()


async def test_it_is_found_and_offered(catalog: Catalog) -> None:
    found = {status.name: status for status in await catalog.survey()}["llama-server"]
    assert (found.usable, found.detail, found.models) == (True, "Running: 1 model", ["tiny"])
    panel = catalog.default_panel([found])
    assert [panelist.model for panelist in panel] == ["llama-server:tiny"] * 3


async def test_it_speaks_token_by_token_up_to_the_limit(catalog: Catalog) -> None:
    provider, model = catalog.resolve("llama-server:tiny")
    heard, chunks = await listen(provider, ask(model, max_tokens=24, temperature=0))
    assert (heard.error, heard.stop, heard.usage) == (
        "",
        "length",
        None,
    )  # this server counts nothing in a stream
    assert 1 < sum(isinstance(piece, Text) for piece in chunks) <= 24
    again, _ = await listen(provider, ask(model, max_tokens=24, temperature=0))
    assert again.text == heard.text


async def test_a_stop_sequence_ends_it(catalog: Catalog) -> None:
    provider, model = catalog.resolve("llama-server:tiny")
    whole, _ = await listen(provider, ask(model, max_tokens=24, temperature=0))
    middle = whole.text[8]
    heard, chunks = await listen(provider, ask(model, max_tokens=24, temperature=0, stop=middle))
    assert heard.text == whole.text[: whole.text.index(middle)]
    assert chunks[-1] == Stop("end", heard.usage)


async def test_closing_frees_it_for_the_next(catalog: Catalog) -> None:
    provider, model = catalog.resolve("llama-server:tiny")
    async with asyncio.timeout(4 * PATIENCE):
        chunks = provider.stream(ask(model, max_tokens=400))
        assert isinstance(await anext(chunks), Text)
        await chunks.aclose()
        heard, _ = await listen(provider, ask(model, max_tokens=4))
    assert heard.stop == "length"


async def test_a_conversation_beyond_its_context_is_a_failure_and_no_answer(catalog: Catalog) -> None:
    provider, model = catalog.resolve("llama-server:tiny")
    heard, _ = await listen(provider, Request(model, "", (Message("user", "word " * tiny_gguf.CONTEXT),)))
    assert heard == Heard(error="connection", retryable=True)  # it answers 200, and then not a byte
