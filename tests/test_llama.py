"""llama.cpp in child processes: real models of a few kilobytes, real crashes, real orphans."""

import asyncio
import importlib.util
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol.errors import Invalid, ProviderError
from protocol.messages import Message, Usage
from providers.base import Request, Text
from providers.catalog import Catalog
from providers.llama import wire
from providers.llama.child import Child, Patience
from providers.llama.provider import LlamaProvider
from tests import chain_gguf, tiny_gguf
from tests.test_calling import WITH_TOOLS
from tests.test_providers import Heard, listen
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None,
    reason="llama-cpp-python is not installed; it is compiled, and so the optional extra `local`",
)
ROOM = 32_768


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models: `tiny` says nonsense, `hello` two words, `pause` one word and then works on in silence."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_gguf, "CONTEXT", ROOM)
        tiny_gguf.write(folder / "tiny.gguf")
    chain_gguf.write(folder / "hello.gguf", ["Hello", " there"])
    chain_gguf.write(folder / "pause.gguf", ["Well"], ends=False)
    return folder


@asynccontextmanager
async def speaking(
    *folders: Path, environ: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[LlamaProvider]:
    provider = LlamaProvider(folders, os.environ if environ is None else environ, **settings)
    try:
        async with asyncio.timeout(30):
            yield provider
    finally:
        await provider.close()
    assert provider.children.all == []


def ask(model: str, text: str = "Well?", system: str = "Be brief.", **options: Any) -> Request:
    return Request(model, system, (Message("user", text),), options=options)


async def exit_of(pid: int) -> None:
    """Wait until a process that need not be ours is gone."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    process = os.pidfd_open(pid)
    loop.add_reader(process, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(process)
        os.close(process)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[wire.ToServer]:
    """Everything that children tell."""
    messages: list[wire.ToServer] = []
    receive = wire.receive

    async def note(stream: asyncio.StreamReader) -> wire.ToServer:
        messages.append(await receive(stream))
        return messages[-1]

    monkeypatch.setattr(wire, "receive", note)
    return messages


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid


HERMES = (
    "{% if tools %}Write <tool_call>: {{ tools | tojson }}{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ m.tool_calls | default('') }}{% endfor %}"
)
CALL: list[chain_gguf.Piece] = [
    "So:",
    "<tool_",
    "call>",
    '{"name":',
    '"search",',
    '"arguments":',
    "{}}",
    "</tool_call>",
]


@pytest.mark.parametrize("parallel", [True, False])
async def test_a_model_whose_template_knows_tools_calls_them(tmp_path: Path, parallel: bool) -> None:
    chain_gguf.write(tmp_path / "caller.gguf", CALL, template=HERMES, ends=parallel)
    request = msgspec.structs.replace(WITH_TOOLS, model="caller", options={"parallel_tool_calls": parallel})
    async with speaking(tmp_path) as llama:
        heard, _ = await listen(llama, request)
        quiet, _ = await listen(llama, msgspec.structs.replace(request, tool_choice="none", max_tokens=20))
        forced, _ = await listen(llama, msgspec.structs.replace(request, tool_choice="required"))
    assert (heard.text, list(heard.calls.values()), heard.stop) == ("So:", [("search", "{}")], "tool_calls")
    assert (quiet.text.startswith('So:<tool_call>{"name"'), quiet.calls) == (True, {})
    assert forced.error == "bad_request"


async def test_a_model_without_a_template_for_tools_says_so(folder: Path) -> None:
    async with speaking(folder) as llama:
        with pytest.raises(ProviderError, match="no way to be told of tools") as refused:
            await anext(llama.stream(msgspec.structs.replace(WITH_TOOLS, model="hello")))
    assert refused.value.code == "bad_request"


async def test_logprobs_are_what_llama_cpp_itself_tells(folder: Path) -> None:
    """Held against its own softmax over all logits. It reads the prompt in another batch, which rounds otherwise."""
    import llama_cpp  # noqa: PLC0415 - it may not be there

    theirs = llama_cpp.Llama(
        str(folder / "tiny.gguf"), n_ctx=512, n_threads=1, verbose=False, logits_all=True
    )
    prompt = "### User:\nWell?\n\n### Assistant:\n"
    told = theirs.create_completion(prompt, max_tokens=12, temperature=0, repeat_penalty=1.0, logprobs=4)
    expected = told["choices"][0]["logprobs"]
    options: dict[str, Any] = {
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 4,
        "max_tokens": 12,
        "threads": 1,
    }
    async with speaking(folder) as llama:
        heard, _ = await listen(llama, ask("tiny", system="", **options))
    assert [one.token for one in heard.logprobs] == expected["tokens"]
    assert [one.logprob for one in heard.logprobs] == pytest.approx(expected["token_logprobs"], abs=0.05)
    for one, top in zip(heard.logprobs, expected["top_logprobs"], strict=True):
        likely = {other.token: other.logprob for other in one.top_logprobs}
        assert likely == pytest.approx({token: top[token] for token in likely}, abs=0.05)
        assert one.top_logprobs[0].token == one.token  # the likeliest, since it is greedy


async def test_a_bias_and_penalties_change_what_is_chosen(folder: Path) -> None:
    async with speaking(folder) as llama:

        async def said(**options: Any) -> str:
            return (await listen(llama, ask("tiny", max_tokens=24, temperature=0, **options)))[0].text

        usual = await said()
        banned = usual[0]
        assert banned not in await said(logit_bias={str(3 + ord(banned)): -100, "999999": 5})
        assert len(set(await said(presence_penalty=2, frequency_penalty=2))) > len(set(usual))


# -- speaking -----------------------------------------------------------------------------------------------------


async def test_tokens_are_counted_and_what_was_read_is_remembered(folder: Path) -> None:
    async with speaking(folder) as llama:
        first, _ = await listen(llama, ask("hello"))
        second, _ = await listen(llama, ask("hello"))
    assert (first.text, first.stop) == ("Hello there", "end")
    assert first.usage is not None
    count = first.usage.input
    assert first.usage == Usage(input=count, output=2)
    assert second.usage == Usage(input=count, output=2, cached=count - 1)


async def test_seats_of_one_model_speak_at_once_each_as_if_alone(folder: Path) -> None:
    """Twelve, which is more than there are sequences, with what they share shared."""
    requests = [ask("tiny", f"Well, {name}?", max_tokens=40, temperature=0) for name in "ABCDEFGHIJKL"]
    async with speaking(folder) as llama:
        alone = [await listen(llama, request) for request in requests[:3]]
    async with speaking(folder) as llama:
        together = await asyncio.gather(*(listen(llama, request) for request in requests))
        assert len(llama.children.all) == 1
    assert [heard.text for heard, _ in together[:3]] == [heard.text for heard, _ in alone]
    usages = [heard.usage for heard, _ in together if heard.usage]
    assert all(usage.output == 40 for usage in usages)
    assert sum(usage.cached > usage.input // 2 for usage in usages) == 11  # all but who came first


async def test_a_seed_repeats_an_answer_and_another_does_not(folder: Path) -> None:
    async with speaking(folder) as llama:
        texts = [(await listen(llama, ask("tiny", max_tokens=24, seed=seed)))[0].text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


async def test_a_stop_sequence_is_not_shown(folder: Path) -> None:
    async with speaking(folder) as llama:
        heard, _ = await listen(llama, ask("hello", stop=["o th", "x"]))
    assert (heard.text, heard.stop) == ("Hell", "stop_sequence")


async def test_options_that_load_differently_get_another_child(folder: Path) -> None:
    async with speaking(folder) as llama:
        for request in (ask("hello"), ask("hello", context=512), ask("hello", seed=3)):
            await listen(llama, request)
        assert sorted(child.loading.context for child in llama.children.all) == [512, 8192]


async def test_how_much_a_file_holds_is_known_once_it_is_loaded(tmp_path: Path) -> None:
    tiny_gguf.write(tmp_path / "tiny.gguf")
    async with speaking(tmp_path) as llama:
        assert llama.window("tiny", {}) == 8192, "as it is asked for"
        await listen(llama, ask("tiny", "?", "", max_tokens=2))
        assert llama.window("tiny", {}) == tiny_gguf.CONTEXT, "as it was trained"
        assert llama.window("tiny", {"context": 256}) == 256


# -- stopping -----------------------------------------------------------------------------------------------------


async def test_a_stop_ends_the_reading_of_a_prompt(folder: Path, told: list[wire.ToServer]) -> None:
    async with speaking(folder) as llama:
        reader = asyncio.create_task(listen(llama, ask("tiny", "word " * 3000, context=ROOM)))
        await until(lambda: any(isinstance(message, wire.Reading) for message in told))
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        [halted] = [message for message in told if isinstance(message, wire.Halted)]
        [prompt] = {message.prompt for message in told if isinstance(message, wire.Reading)}
        assert 0 < halted.done < prompt
        heard, _ = await listen(llama, ask("tiny", max_tokens=4, context=ROOM))
        assert len(llama.children.all) == 1
    assert (heard.stop, heard.usage and heard.usage.output) == ("length", 4)


async def test_stops_before_the_model_is_loaded_leave_nothing_behind(folder: Path) -> None:
    async with speaking(folder) as llama:
        early = [
            asyncio.create_task(listen(llama, ask("pause", context=chain_gguf.CONTEXT))) for _ in range(3)
        ]
        await until(lambda: sum(child.open for child in llama.children.all) == 3)
        for task in early:
            task.cancel()
        await asyncio.wait(early)
        [child] = llama.children.all
        assert child.open == 0
        async with aclosing(llama.stream(ask("pause", context=chain_gguf.CONTEXT))) as chunks:
            assert await anext(chunks) == Text("Well")
        assert llama.children.all == [child]


async def test_stopping_one_leaves_the_others_speaking(folder: Path) -> None:
    async with speaking(folder) as llama:
        chunks = llama.stream(ask("pause", max_tokens=300))
        await anext(chunks)
        other = asyncio.create_task(listen(llama, ask("pause", max_tokens=300)))
        await until(lambda: llama.children.all[0].open == 2)
        await chunks.aclose()
        heard, _ = await other
    assert (heard.text, heard.stop) == ("Well", "length")


# -- crashes ------------------------------------------------------------------------------------------------------


async def test_a_killed_child_fails_its_requests_and_no_later_one(folder: Path) -> None:
    async with speaking(folder) as llama:
        streams = [llama.stream(ask("pause", context=chain_gguf.CONTEXT)) for _ in range(2)]
        assert [await anext(chunks) for chunks in streams] == [Text("Well")] * 2
        [child] = llama.children.all
        os.kill(pid_of(child), signal.SIGKILL)
        for chunks in streams:
            with pytest.raises(ProviderError, match="killed: is there memory enough") as failure:
                await anext(chunks)
            assert (failure.value.code, failure.value.retryable) == ("internal", True)
        heard, _ = await listen(llama, ask("hello"))
        assert heard.text == "Hello there"
        async with aclosing(llama.stream(ask("pause", context=chain_gguf.CONTEXT))) as again:
            assert await anext(again) == Text("Well")
        assert child not in llama.children.all


async def test_a_crash_is_named(folder: Path) -> None:
    async with speaking(folder) as llama:
        chunks = llama.stream(ask("pause", context=chain_gguf.CONTEXT))
        await anext(chunks)
        os.kill(pid_of(llama.children.all[0]), signal.SIGSEGV)
        with pytest.raises(ProviderError, match="ended by SIGSEGV while answering with pause"):
            await anext(chunks)


async def test_a_child_that_is_stuck_is_ended(folder: Path) -> None:
    async with speaking(folder, patience=Patience(pulse=0.05, silent=1000)) as llama:
        chunks = llama.stream(ask("pause", context=chain_gguf.CONTEXT))
        await anext(chunks)
        [child] = llama.children.all
        child._patience = Patience(pulse=0.05, silent=5)
        os.kill(pid_of(child), signal.SIGSTOP)
        with pytest.raises(ProviderError, match="did not react") as failure:
            await anext(chunks)
        assert (failure.value.code, failure.value.retryable) == ("timeout", True)


async def test_a_child_that_does_not_stop_is_ended(folder: Path) -> None:
    async with speaking(folder, patience=Patience(pulse=0.05, silent=1000, stop=2)) as llama:
        chunks = llama.stream(ask("pause", context=chain_gguf.CONTEXT))
        await anext(chunks)
        [child] = llama.children.all
        os.kill(pid_of(child), signal.SIGSTOP)
        await chunks.aclose()
        await until(lambda: not llama.children.all)


def damaged(whole: bytes) -> dict[str, bytes]:
    """A file that did not arrive, broken in the ways files are."""
    cuts = {f"cut{at}": whole[:at] for at in (6, 24, 700, 5000, len(whole) // 2)}
    metadata, tensors = bytearray(whole), bytearray(whole)
    metadata[8:24] = b"\xff" * 16  # the counts of tensors and of keys
    tensors[4000:4400] = bytes(range(200)) * 2  # in the middle of the vocabulary
    swapped = whole.replace(b"llama", b"lllma")
    return cuts | {"metadata": bytes(metadata), "tensors": bytes(tensors), "swapped": swapped}


async def test_damaged_files_fail_their_requests_with_a_reason(folder: Path, tmp_path: Path) -> None:
    files = damaged((folder / "tiny.gguf").read_bytes())
    for name, content in files.items():
        (tmp_path / f"{name}.gguf").write_bytes(content)
    async with speaking(tmp_path, folder, most=len(files)) as llama:
        assert sorted(llama.files.names()) == sorted([*files, "hello", "pause", "tiny"])
        answers = await asyncio.gather(*(listen(llama, ask(name, max_tokens=2)) for name in files))
        assert {name: heard.error for name, (heard, _) in zip(files, answers, strict=True)} == dict.fromkeys(
            files, "internal"
        )
        with pytest.raises(ProviderError) as failure:
            await anext(llama.stream(ask("cut5000")))
        heard, _ = await listen(llama, ask("hello"))
    assert heard.text == "Hello there"
    assert "cut5000" in failure.value.detail
    assert str(tmp_path) not in failure.value.detail


async def test_the_reason_may_come_after_the_refusal(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp's log and our messages take two pipes, which are read in either order."""
    worker = tmp_path / "python"
    refusal = "".join(f"\\{byte:03o}" for byte in wire.frame(wire.Unloadable("")))
    worker.write_text(f"#!/bin/sh\nprintf '{refusal}'\necho 'error loading model: torn' >&2\n")
    worker.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(worker))
    async with speaking(folder) as llama:
        with pytest.raises(ProviderError, match=r"cannot be loaded: error loading model: torn\."):
            await anext(llama.stream(ask("tiny")))


async def test_a_file_that_keeps_failing_is_left_alone_for_longer_each_time(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "torn.gguf").write_bytes((folder / "tiny.gguf").read_bytes()[:5000])
    now = 100.0
    async with speaking(tmp_path, clock=lambda: now) as llama:

        async def failure() -> ProviderError:
            with pytest.raises(ProviderError) as raised:
                await anext(llama.stream(ask("torn")))
            assert raised.value.detail.startswith("torn cannot be loaded")
            return raised.value

        assert [(await failure()).retry_after for _ in range(2)] == [None, None]  # once more may help
        left_alone = await failure()
        assert (left_alone.retryable, left_alone.retry_after) == (True, 1.0)
        now += 0.75
        assert (await failure()).retry_after == 0.25
        now += 0.25
        assert (await failure()).retry_after is None
        assert (await failure()).retry_after == 2.0
        (tmp_path / "torn.gguf").write_bytes((folder / "hello.gguf").read_bytes())
        now += 2.0
        assert (await listen(llama, ask("torn")))[0].text == "Hello there"


# -- processes ----------------------------------------------------------------------------------------------------

ORPHAN = """
import asyncio, sys
from pathlib import Path
from protocol.messages import Message
from providers.base import Request
from providers.llama.provider import LlamaProvider

async def main():
    llama = LlamaProvider([Path(sys.argv[1])], {})
    request = Request("pause", "", (Message("user", "Well?"),), options={"context": 100_000})
    async for _ in llama.stream(request):
        print(llama.children.all[0].pid, flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a stopped child waits for its pipe to be read")
async def test_a_child_dies_with_its_server_even_when_it_is_stopped(folder: Path) -> None:
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", ORPHAN, str(folder), stdout=PIPE)
    assert server.stdout is not None
    async with asyncio.timeout(30):
        child = int(await server.stdout.readline())
        os.kill(child, signal.SIGSTOP)
        gone = asyncio.create_task(exit_of(child))
        server.kill()
        await server.wait()
        await gone


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_child_sees_no_keys_and_gives_way(folder: Path) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "OPENAI_API_KEY": "sk-1",
        "ROUNDTABLE_SECRET": "s",
        "LANG": "C.UTF-8",
    }
    async with speaking(folder, environ=environ) as llama:
        await listen(llama, ask("hello"))
        process = Path(f"/proc/{pid_of(llama.children.all[0])}")
        names = {line.partition(b"=")[0] for line in (process / "environ").read_bytes().split(b"\0") if line}
        assert names == {b"PATH", b"LANG", b"GGML_NO_BACKTRACE"}
        assert os.getpgid(int(process.name)) != os.getpgid(0)
        assert int((process / "oom_score_adj").read_text()) > int(
            Path("/proc/self/oom_score_adj").read_text()
        )
        assert b"Max core file size        0" in (process / "limits").read_bytes()


async def test_who_was_idle_longest_makes_room(folder: Path) -> None:
    async with speaking(folder, most=1) as llama:
        await listen(llama, ask("hello"))
        gone = asyncio.create_task(exit_of(pid_of(llama.children.all[0])))
        chunks = llama.stream(ask("pause", context=chain_gguf.CONTEXT))
        await anext(chunks)
        await gone
        waiting = asyncio.create_task(listen(llama, ask("hello")))
        await asyncio.sleep(0)
        assert [child.file.name for child in llama.children.all] == [
            "pause"
        ]  # it speaks, and is not interrupted
        await chunks.aclose()
        heard, _ = await waiting
    assert heard.text == "Hello there"


async def test_who_is_being_ended_gets_no_more_requests(folder: Path) -> None:
    async with speaking(folder) as llama:
        await listen(llama, ask("hello"))
        ending = asyncio.create_task(llama.children.all[0].end())
        await asyncio.sleep(0)
        assert (await listen(llama, ask("hello")))[0].text == "Hello there"
        await ending


async def test_an_idle_child_is_ended(folder: Path) -> None:
    async with speaking(folder, patience=Patience(pulse=0.01, silent=1000, idle=5)) as llama:
        assert (await listen(llama, ask("hello")))[0].text == "Hello there"
        await until(lambda: not llama.children.all)
        assert (await listen(llama, ask("hello")))[0].text == "Hello there"


# -- names and options --------------------------------------------------------------------------------------------


async def test_options_are_judged_without_a_process(folder: Path) -> None:
    async with speaking(folder) as llama:
        llama.check({"temperature": 0.2, "stop": "x", "threads": 1})
        for wrong in ({"temperatur": 1}, {"top_p": 2}, {"stop": [""]}, {"context": 1}, {"seed": -1}):
            with pytest.raises(Invalid) as refused:
                llama.check(wrong)
            assert refused.value.field.startswith(f"options.{next(iter(wrong))}")
        heard, _ = await listen(llama, ask("hello", top_k=-1))
        assert heard == Heard(error="bad_request")
        assert llama.children.all == []


async def test_a_catalog_offers_what_is_there_and_refuses_what_is_not(folder: Path, tmp_path: Path) -> None:
    catalog = Catalog({}, model_folders=[folder])
    provider, model = catalog.resolve("llama:hello")
    assert (provider.name, provider.local, model) == ("llama", True, "hello")
    with pytest.raises(Invalid, match="did you mean 'hello'"):
        catalog.resolve("llama:helo")
    status = {status.name: status for status in await catalog.survey()}["llama"]
    assert (status.usable, status.local, status.models) == (True, True, ["hello", "pause", "tiny"])
    for folders, detail in (([], "No folder of models"), ([tmp_path], "No models")):
        other = Catalog({}, model_folders=folders)
        status = {status.name: status for status in await other.survey()}["llama"]
        assert (status.usable, status.detail, bool(status.hint)) == (False, detail, True)
    with pytest.raises(Invalid) as refused:
        Catalog({}).resolve("llama:hello")
    assert refused.value.code == "not_configured"


async def test_without_llama_cpp_it_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    catalog = Catalog({}, model_folders=[folder])
    with pytest.raises(Invalid, match=r"roundtable\[local\].*make local") as refused:
        catalog.resolve("llama:hello")
    assert refused.value.code == "not_configured"
    status = {status.name: status for status in await catalog.survey()}["llama"]
    assert (status.usable, status.detail, status.models) == (False, "Not installed", [])
    heard, _ = await listen(LlamaProvider([folder], {}), ask("hello"))
    assert heard == Heard(error="not_configured")
