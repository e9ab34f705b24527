"""The SDK without `async`: in a script, in a running loop, and interrupted."""

import asyncio
import gc
import io
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from roundtable.client import CannotStream, Chunk, Failed, SyncClient, local
from roundtable.config import Config
from roundtable.edge import app
from roundtable.sdk import display
from roundtable.tools.base import Context, Step, Told
from tests.test_sdk import FAILS, QUICK, Endless, NoArgs


class Interrupts:
    """Interrupts this process after a step, as Ctrl-C does, and waits to be closed."""

    name, title, summary, args = "interrupts", "Interrupts", "Is interrupted.", NoArgs

    def __init__(self) -> None:
        self.closed = threading.Event()

    async def run(self, args: NoArgs, context: Context) -> AsyncGenerator[Told]:
        try:
            yield Step({"text": "one"})
            await asyncio.sleep(0.05)  # so that the caller waits again
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            self.closed.set()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "roundtable"]


def test_a_stream_is_an_iterator() -> None:
    with SyncClient(local()) as client:
        events = list(client.stream("panelist/scripted:ada", "complete", QUICK))
        assert [event.type for event in events] == ["init", "step", "step", "step", "converge"]
        with pytest.raises(CannotStream):
            client.stream("panelist/scripted:ada", "follow")
        table, _ = client.call("convene", "Why?")
        assert [summary.id for summary in client.call("tables")] == [table]
    assert threads() == []
    client.close()


async def test_it_works_where_a_loop_runs_and_over_the_network(tmp_path: Path) -> None:
    with SyncClient(local()) as client:
        assert client.stream_ask("panelist/scripted:ada", "complete", QUICK) == "Hello there you."
    async with TestServer(app.build(Config(data=tmp_path))) as server:
        url = str(server.make_url(""))

        def script() -> str:
            with SyncClient(url) as client:
                told = "".join(
                    event.text for event in client.stream("panelist/scripted:ada", "complete", QUICK)
                )
                assert told == client.stream_ask("panelist/scripted:ada", "complete", QUICK)
                return told

        assert await asyncio.to_thread(script) == "Hello there you."


def test_chunks_are_told_in_the_callers_thread() -> None:
    told: list[tuple[str, int]] = []

    def on_chunk(chunk: Chunk) -> None:
        told.append((chunk["type"], threading.get_ident()))

    with SyncClient(local()) as client:
        client.stream_ask("panelist/scripted:ada", "complete", QUICK, on_chunk=on_chunk)
        with pytest.raises(Failed):
            client.stream_ask("panelist/scripted:ada", "complete", FAILS, on_chunk=on_chunk)
    assert [type for type, _ in told] == ["token", "token", "token", "done", "token", "token", "error"]
    assert {thread for _, thread in told} == {threading.get_ident()}


def test_closing_the_iterator_ends_what_was_invoked() -> None:
    endless = Endless()
    with SyncClient(local(tools=[endless])) as client:
        with client.stream("tool/endless", "run") as events:
            next(events)
        events.close()
        assert next(events, None) is None
    assert endless.closed.is_set()


def test_an_interrupt_ends_what_was_invoked() -> None:
    tool, told = Interrupts(), list[Chunk]()
    with SyncClient(local(tools=[tool])) as client:
        with pytest.raises(KeyboardInterrupt):
            client.stream_ask("tool/interrupts", "run", on_chunk=told.append)
        assert tool.closed.wait(20)
        assert [chunk["type"] for chunk in told] == ["token", "error"]
        tool.closed.clear()
        with pytest.raises(KeyboardInterrupt):
            list(client.stream("tool/interrupts", "run"))
        assert tool.closed.wait(20)
        assert client.stream_ask("panelist/scripted:ada", "complete", QUICK)  # and it goes on working


def test_who_forgets_to_close_it_leaves_no_thread() -> None:
    client = SyncClient(local())
    assert threads()
    del client
    gc.collect()
    assert threads() == []


# -- the live display ----------------------------------------------------------------------------------------------


def test_words_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with SyncClient(local()) as client:
        client.stream_ask("panelist/scripted:ada", "complete", QUICK, display=True)
        list(client.stream("panelist/scripted:ada", "complete", QUICK, display=True))
    assert capsys.readouterr().out == "Hello there you.\n" * 2


def test_what_a_model_says_moves_no_cursor() -> None:
    out = io.StringIO()
    terminal = display.Terminal(out)
    terminal.write("a\x1b[2Jb\nc\td\r")
    terminal.end()
    assert out.getvalue() == "a[2Jb\nc\td\n"


class Notebook:
    """What IPython gives a cell: a handle that replaces what is shown."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, data: dict[str, str], **options: Any) -> "Notebook":
        assert options == {"raw": True, "display_id": True}
        self.shown.append(dict(data))
        return self

    def update(self, data: dict[str, str], **options: Any) -> None:
        assert options == {"raw": True}
        self.shown.append(dict(data))


def test_words_in_a_notebook_are_plain_and_not_too_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    notebook = Notebook()
    cell = display.Cell(notebook, lambda: now[0])
    for word in ("<b>one", " two", " three"):
        cell.write(word)
        now[0] += display.EVERY * 0.6
    cell.end()
    assert [shown["text/plain"] for shown in notebook.shown] == [
        "<b>one",
        "<b>one two three",
        "<b>one two three",
    ]
    assert all(set(shown) == {"text/plain"} for shown in notebook.shown)
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    )
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    assert isinstance(display.display(), display.Cell)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert isinstance(display.display(), display.Terminal)
