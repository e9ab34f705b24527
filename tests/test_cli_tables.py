"""watch, replay and export as a person calls them."""

import asyncio
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp.test_utils import TestServer

from protocol.errors import Invalid
from roundtable import exporting
from roundtable.cli import console, target
from roundtable.config import Config
from roundtable.edge import app
from tests.command_line import SCENE, Said, call, keep, records
from tests.server_process import ROOT, serving

LINES = exporting.lines(records(SCENE)).decode()
SHOWN = """\
  Why?
  Ada  scripted:ada
  Ben  scripted:ben

  Round 1

Ada
  Because of **dragons**.

Kim
  Really?

Ben
  No.

  The table is closed: the last round is over.
"""


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A server that has the scene as table `x`."""
    await asyncio.to_thread(keep, tmp_path / "d", "x")
    async with TestServer(app.build(Config(data=tmp_path / "d"))) as server:
        yield str(server.make_url("")).rstrip("/")


async def called(*args: object) -> Said:
    """A call beside a server in this process."""
    return await asyncio.to_thread(call, *args)


# -- watch ---------------------------------------------------------------------------------------------------------


async def test_watching_a_table_to_its_end(url: str) -> None:
    said = await called("watch", f"{url}/t/x")
    assert said == (0, f"{SHOWN}\n  2 turns, 0 tokens read, 0 written, price unknown.\n", "")


async def test_watching_as_json_from_a_cursor(url: str) -> None:
    said = await called("watch", "x", "--server", url, "--json", "--after", SCENE[-3].cursor)
    assert said == (0, "".join(LINES.splitlines(keepends=True)[-2:]), "")


async def test_after_a_reset_the_table_is_shown_as_it_stands(url: str) -> None:
    said = await called("watch", f"{url}/t/x", "--after", "7-3")
    assert said.out.startswith(SHOWN)
    assert "no longer has what was shown" in said.err
    said = await called("watch", f"{url}/t/x", "--json", "--after", "7-3")
    told, rest = said.out.split("\n", 1)
    assert json.loads(told)["type"] == "reset"
    assert rest == LINES


async def test_what_cannot_be_watched(url: str, unused_tcp_port: int) -> None:
    assert await called("watch", f"{url}/t/y") == (2, "", "roundtable: There is no table 'y'.\n")
    assert (await called("watch", url)).code == 2
    away = await called("watch", f"http://127.0.0.1:{unused_tcp_port}/t/x")
    assert (away.code, away.out) == (1, "")
    assert "Connection refused" in away.err


async def test_a_server_that_wants_its_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.to_thread(keep, tmp_path / "d", "x")
    async with TestServer(app.build(Config(data=tmp_path / "d", secret="hunter2"))) as server:
        url = str(server.make_url("t/x"))
        said = await called("watch", url)
        assert said == (2, "", "roundtable: This server asks for its secret: set ROUNDTABLE_SECRET.\n")
        monkeypatch.setenv("ROUNDTABLE_SECRET", "wrong")
        assert await called("watch", url) == (2, "", "roundtable: That is not the secret.\n")
        monkeypatch.setenv("ROUNDTABLE_SECRET", "hunter2")
        said = await called("watch", url)
        assert (said.code, said.err) == (0, "")


async def test_the_server_comes_back_and_the_watcher_leaves(tmp_path: Path) -> None:
    slow = {"text": " ".join(map(str, range(2000))), "rate": 20}
    panel = [{"name": "Ada", "model": "scripted:x", "options": slow}]
    async with serving(tmp_path / "d") as first:
        table = await first.convene(panel=panel)
        port = str(urlsplit(first.url).port)
        watching = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "roundtable.cli", "watch", f"{first.url}/t/{table}", "--json",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        assert watching.stdout
        assert watching.stderr
        seen = [await watching.stdout.readline() for _ in range(8)]
        first.signal(signal.SIGKILL)
        await first.ended()
    assert b"Trying again." in await watching.stderr.readline()
    async with serving(tmp_path / "d", "--port", port) as second:
        assert await watching.stderr.readline() == b"roundtable: connected again.\n"
        seen += [await watching.stdout.readline() for _ in range(8)]
        watching.send_signal(signal.SIGINT)
        out, err = await watching.communicate()
        assert (await second.transcript(table))["status"] == "open"
    seen += out.splitlines()
    assert watching.returncode == 130
    ids = [json.loads(line)["id"] for line in seen]
    assert [int(each.partition("-")[2]) for each in ids] == list(range(1, len(ids) + 1))
    assert err.decode() == (
        f"roundtable: you left, the table goes on; "
        f"come back with `roundtable watch http://127.0.0.1:{port}/t/{table} --after {ids[-1]}`\n"
    )


# -- replay --------------------------------------------------------------------------------------------------------


def test_a_file_and_a_pipe(tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    file.write_text(LINES)
    assert call("replay", file, "--max-gap", 0) == (0, SHOWN, "")
    assert call("replay", "-", "--max-gap", 0, stdin=LINES.encode()) == (0, SHOWN, "")
    assert call("replay", file, "--max-gap", 0, "--json") == (0, LINES, "")


def test_the_rest_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    file.write_text(LINES)
    said = call("replay", file, "--max-gap", 0, "--after", SCENE[6].cursor)
    assert said.out == SHOWN.replace("\n  Round 1\n\nAda\n  Because of **dragons**.\n", "")
    said = call("replay", file, "--max-gap", 0, "--after", "7-3")
    assert said.code == 2
    assert "and no 7-3" in said.err


async def test_a_table_on_a_server(url: str) -> None:
    assert await called("replay", f"{url}/t/x", "--max-gap", 0) == (0, SHOWN, "")
    assert (await called("replay", f"{url}/t/y")).err == "roundtable: There is no table 'y'.\n"


@pytest.mark.parametrize(
    "args",
    [["--speed", "0"], ["--speed", "nan"], ["--speed", "x"], ["--max-gap", "-1"], ["--after", "x"], ["--after", "now"]],
)  # fmt: skip
def test_what_replay_refuses(args: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        call("replay", "-", *args)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    assert "export ID --format jsonl" in call("replay", tmp_path / "x").err
    (tmp_path / "x.md").write_text("# Why?")
    said = call("replay", tmp_path / "x.md")
    assert (said.code, said.out) == (2, "")
    assert "Line 1 is no entry" in said.err


# -- export --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", exporting.TYPES)
async def test_kept_and_served_are_the_same_file(url: str, tmp_path: Path, format: str) -> None:
    kept = await called("export", "x", "--data", tmp_path / "d", "--format", format)  # beside the server
    served = await called("export", f"{url}/t/x", "--format", format)
    assert kept == served
    assert (kept.code, kept.err) == (0, "")
    assert "dragons" in kept.out


async def test_an_export_is_replayed(url: str) -> None:
    exported = await called("export", f"{url}/t/x", "--format", "jsonl")
    assert exported.out == LINES


def test_the_files_name_decides_and_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    keep(tmp_path / "d", "x")
    page = tmp_path / "talk.HTML"
    assert call("export", "x", "--data", tmp_path / "d", "--out", page) == (0, "", "")
    assert page.read_text().startswith("<!doctype html>")
    again = call("export", "x", "--data", tmp_path / "d", "--out", page, "--format", "md")
    assert again == (2, "", f"roundtable: {page} is there already; --force replaces it.\n")
    assert call("export", "x", "--data", tmp_path / "d", "--out", page, "--format", "md", "--force").code == 0
    assert page.read_text().startswith("# Why?")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["d", "talk.HTML"]


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    keep(tmp_path / "d", "x")
    assert "There is no table 'y'" in call("export", "y", "--data", tmp_path / "d").err
    assert "There is no log" in call("export", "y", "--data", tmp_path / "none").err
    assert not (tmp_path / "none").exists()
    said = call("export", "x", "--data", tmp_path / "d", "--out", tmp_path / "no" / "x.md")
    assert said == (2, "", f"roundtable: {tmp_path}/no: No such file or directory.\n")
    assert call("export", "x", "--data", tmp_path / "d", "--out", tmp_path).code == 2
    said = call("export", "x", "--data", tmp_path / "d", "--out", tmp_path / "x.pdf")
    assert said == (2, "", "roundtable: 'pdf' is no format to export; there are md, html, json, jsonl.\n")
    assert not (tmp_path / "x.pdf").exists()


def test_half_a_file_is_none(tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_text("before")

    def interrupted() -> None:
        with target.made(str(file), replace=True) as out:
            out.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == ["x.md"]
    assert file.read_text() == "before"


def test_a_link_stays_and_a_device_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("before")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with target.made(str(tmp_path / "link"), replace=True) as out:
        out.write(b"after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "after"
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with target.made(str(tmp_path / "fifo"), replace=False) as out:
        out.write(b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert (tmp_path / "fifo").is_fifo()


def test_a_mode_is_as_the_person_has_it_set(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with target.made(str(tmp_path / "x"), replace=False) as out:
            out.write(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
    with pytest.raises(Invalid):
        target.check(tmp_path / "x", replace=False)


def test_progress_is_for_a_screen_and_for_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        now = iter([0.0, 0.5, 1.1, 1.2, 1.4, 1.5])
        with console.Progress(lambda: next(now)) as progress:
            for step in "abcde":
                progress(step)
    expected, shown = b"\rb\x1b[K\rd\x1b[K\r\x1b[K", b""
    while (
        len(shown) < len(expected) and select.select([mine], [], [], 5)[0]
    ):  # a terminal may give it in pieces
        shown += os.read(mine, 1000)
    assert shown == expected
    os.close(mine)
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with console.Progress(lambda: 1e9) as progress:
        progress("x")
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2.5e9, "2.5 GB"), (1e13, "10000.0 GB")]
)  # fmt: skip
def test_sizes(count: int, shown: str) -> None:
    assert console.size(count) == shown


def test_a_server_cannot_steer_the_terminal() -> None:
    assert console.printable("\x1b[2Ja\x9b\u0007b") == "[2Jab"
