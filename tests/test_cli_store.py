"""doctor, backup, restore and copy as a person calls them."""

import asyncio
import json
import os
import pty
import sqlite3
import sys
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from protocol import events as e
from roundtable.cli import console, doctor, store_checks
from roundtable.cli.finding import Finding
from roundtable.config import Config
from roundtable.edge import app
from roundtable.log import sqlite_inspection
from roundtable.log.sqlite import SqliteLog
from tests import redis_server
from tests.command_line import SCENE, Said, call, keep
from tests.tables import entries

# -- doctor --------------------------------------------------------------------------------------------------------


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, and nothing set: no key, and no server of models."""
    for name in os.environ:
        if name.startswith(("ROUNDTABLE_", "XDG_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def examined(*args: object) -> tuple[int, dict[str, Finding]]:
    """The exit code, and the worst that was found of each thing."""
    said = call("doctor", "--json", *args)
    found = [Finding(**each) for each in json.loads(said.out)]
    order = ["ok", "warning", "wrong"]
    return said.code, {each.what: each for each in sorted(found, key=lambda each: order.index(each.state))}


@pytest.mark.usefixtures("environ")
def test_a_fresh_machine_is_well(tmp_path: Path, unused_tcp_port: int) -> None:
    settings = tmp_path / "r.toml"
    settings.write_text(f"port = {unused_tcp_port}\nmax_streams = 10")
    code, found = examined("--config", settings)
    assert code == 0
    assert "is not there yet" in found["data"].detail
    assert found["port"].detail.endswith("is free")
    assert found["settings"].detail == f"from {settings}"
    assert "openai" in found["not set up"].detail
    assert not (tmp_path / ".local").exists()


@pytest.mark.usefixtures("environ")
def test_a_panel_that_keeps_a_server_from_starting(tmp_path: Path) -> None:
    settings = tmp_path / "r.toml"
    settings.write_text('[panels.jury]\npolicy = "paralel"')
    code, found = examined("--config", settings)
    assert (code, found["panels"].state) == (1, "wrong")
    assert "panels.jury.policy" in found["panels"].detail


@pytest.mark.usefixtures("environ")
def test_embeddings_that_keep_a_server_from_starting(tmp_path: Path) -> None:
    settings = tmp_path / "r.toml"
    settings.write_text('embeddings = "opnai:small"')
    code, found = examined("--config", settings)
    assert (code, found["embeddings"].state) == (1, "wrong")
    assert found["embeddings"].detail == "There is no provider 'opnai'; did you mean 'openai'?"
    settings.write_text('embeddings = "scripted:words"')
    assert examined("--config", settings)[1]["embeddings"].state == "ok"


@pytest.mark.usefixtures("environ")
async def test_a_directory_in_use_and_its_server(tmp_path: Path) -> None:
    await asyncio.to_thread(keep, tmp_path / "d", "x", "y")
    settings = tmp_path / "r.toml"
    async with TestServer(app.build(Config(data=tmp_path / "d"))) as server:
        port = server.port
        settings.write_text(f"port = {port}")
        code, found = await asyncio.to_thread(examined, "--config", settings, "--data", tmp_path / "d")
    assert code == 0
    assert found["data"].detail == f"{tmp_path}/d, in use by process {os.getpid()}"
    assert found["port"].detail == f"a server is running on 127.0.0.1:{port}"
    assert found["tables"].detail.startswith("2 tables, ")
    assert found["integrity"].state == found["space"].state == "ok"


@pytest.mark.usefixtures("environ")
async def test_a_strangers_port(tmp_path: Path) -> None:
    stranger = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    settings = tmp_path / "r.toml"
    settings.write_text(f"port = {stranger.sockets[0].getsockname()[1]}")
    code, found = await asyncio.to_thread(examined, "--config", settings)
    stranger.close()
    await stranger.wait_closed()
    assert (code, found["port"].state) == (0, "warning")


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("settings", "what", "told"),
    [
        ("prot = 1", "settings", "did you mean port?"),
        ('host = "0.0.0.0"', "access", "needs a secret"),
        ('host = "192.0.2.1"\nport = 0', "port", "cannot listen"),
        ('redis = "http://x"', "redis", "Redis"),
        ('redis = "unix:///nowhere.sock"', "redis", "cannot be used"),
        ("max_streams = 1000000000", "open files", "spectators of"),
    ],
    ids=range(6),
)
def test_what_is_wrong_is_named(tmp_path: Path, settings: str, what: str, told: str) -> None:
    (tmp_path / "r.toml").write_text(settings)
    code, found = examined("--config", tmp_path / "r.toml")
    assert told in found[what].detail
    assert found[what].state == ("warning" if what == "open files" else "wrong")
    assert code == (0 if what == "open files" else 1)


@pytest.mark.usefixtures("environ")
def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert examined("--data", tmp_path / "file")[1]["data"].state == "wrong"
    assert examined("--data", tmp_path / "file" / "in")[1]["data"].state == "wrong"
    keep(tmp_path / "new", "x")
    with sqlite3.connect(tmp_path / "new" / "roundtable.db") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    assert "newer roundtable" in examined("--data", tmp_path / "new")[1]["tables"].detail
    keep(tmp_path / "bad", *map(str, range(40)))
    damaged = bytearray((tmp_path / "bad" / "roundtable.db").read_bytes())
    damaged[8192:] = b"\xff" * (len(damaged) - 8192)
    (tmp_path / "bad" / "roundtable.db").write_bytes(damaged)
    code, found = examined("--data", tmp_path / "bad")
    assert code == 1
    assert "damaged" in " ".join(each.detail for each in found.values() if each.state == "wrong")


@pytest.mark.usefixtures("environ")
def test_folders_of_models_that_are_not_there_or_hold_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    (tmp_path / "r.toml").write_text(f'model_folders = ["{tmp_path}", "{tmp_path}/none"]')
    _, found = examined("--config", tmp_path / "r.toml")
    assert found["llama files"].detail == f"{tmp_path}/none cannot be read: No such file or directory."
    (tmp_path / "none").mkdir()
    assert "llama files" not in examined("--config", tmp_path / "r.toml")[1]
    (tmp_path / "b.gguf").write_text("<html>")
    assert "b.gguf" in examined("--config", tmp_path / "r.toml")[1]["llama files"].detail


@pytest.mark.usefixtures("environ")
def test_what_is_only_odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path / "d", "x", scene=entries([e.TermBegan(owner="x")], at=2e10))
    (tmp_path / "d").chmod(0o755)
    monkeypatch.setattr(store_checks, "CHECK_WITHIN", -1.0)
    monkeypatch.setattr(sqlite_inspection, "_STEPS", 1)
    monkeypatch.setattr(store_checks, "LITTLE", 1 << 60)
    code, found = examined("--data", tmp_path / "d")
    assert code == 0
    assert {what for what, each in found.items() if each.state == "warning"} >= {
        "data",
        "clock",
        "integrity",
        "space",
    }


@pytest.mark.usefixtures("environ")
def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    monkeypatch.setenv("ROUNDTABLE_SECRET", "hunter2")
    for args in ([], ["--json"], ["--redis", "redis://me:hunter2@127.0.0.1:1"]):
        said = call("doctor", *args)
        assert "hunter2" not in said.out + said.err


def test_it_fits_eighty_columns_and_says_how_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    doctor._show([Finding("x", "wrong", "word " * 60, "hint " * 30), Finding("y", "ok", "fine")])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) < 80
    assert out.endswith("1 to be mended.\n")
    assert "\x1b" not in out
    doctor._show([Finding("y", "ok", "fine")])
    assert capsys.readouterr().out.endswith("All is well.\n")
    assert doctor._verdict([Finding("y", "warning", "odd")]) == "1 to look at."


# -- backup, restore, copy -----------------------------------------------------------------------------------------


def exported(*args: object) -> str:
    """Table `x` as it is kept somewhere."""
    said = call("export", "x", "--format", "jsonl", *args)
    assert said.code == 0, said.err
    return said.out


def test_there_and_back_again(tmp_path: Path) -> None:
    keep(tmp_path / "d", "x")
    was = exported("--data", tmp_path / "d")
    file = tmp_path / "b.db"
    said = call("backup", file, "--data", tmp_path / "d")
    assert (said.code, said.out) == (0, "")
    assert f"1 of 1 streams are in {file}; {len(SCENE)} entries" in said.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert call("backup", file, "--data", tmp_path / "d").code == 2
    assert call("backup", file, "--data", tmp_path / "d", "--force").code == 0
    assert call("restore", file, "--data", tmp_path / "r").code == 0
    assert exported("--data", tmp_path / "r") == was


async def test_a_backup_beside_a_server_and_no_restore_under_it(tmp_path: Path) -> None:
    await asyncio.to_thread(keep, tmp_path / "d", "x")
    log = await SqliteLog.open(tmp_path / "d")
    assert (await asyncio.to_thread(call, "backup", tmp_path / "b.db", "--data", tmp_path / "d")).code == 0
    said = await asyncio.to_thread(call, "restore", tmp_path / "b.db", "--data", tmp_path / "d", "--merge")
    await log.close()
    assert said.code == 1
    assert "Another roundtable process" in said.err


def test_tables_that_are_there_are_merged_only_when_told(tmp_path: Path) -> None:
    keep(tmp_path / "d", "x")
    keep(tmp_path / "e", "y")
    call("backup", tmp_path / "b.db", "--data", tmp_path / "d")
    said = call("restore", tmp_path / "b.db", "--data", tmp_path / "e")
    assert said.code == 2
    assert "holds tables already" in said.err
    assert "There is no table 'x'" in call("export", "x", "--data", tmp_path / "e").err
    assert call("restore", tmp_path / "b.db", "--data", tmp_path / "e", "--merge").code == 0
    assert exported("--data", tmp_path / "e") == exported("--data", tmp_path / "d")
    assert "1 of them before" in call("restore", tmp_path / "b.db", "--data", tmp_path / "e", "--merge").err


def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer, told in ((b"y\n", True), (b"YES\n", True), (b"\n", False), (b"no\n", False)):
        mine, theirs = pty.openpty()
        os.write(mine, answer)
        with os.fdopen(os.dup(theirs)) as stdin, os.fdopen(theirs, "w") as screen:
            monkeypatch.setattr(sys, "stdin", stdin)
            monkeypatch.setattr(sys, "stderr", screen)
            assert console.confirm("Go on?") is told
        os.close(mine)


def test_one_that_differs_is_refused_by_name(tmp_path: Path) -> None:
    keep(tmp_path / "d", "x", "y")
    keep(tmp_path / "e", "x", scene=entries([e.TermBegan(owner="another")]))
    said = call("copy", tmp_path / "d", tmp_path / "e", "--merge")
    assert said.code == 1
    assert "table/x: " in said.err
    assert "1 of 2 streams" in said.err


def test_a_damaged_backup_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "b.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    said = call("restore", tmp_path / "b.db", "--data", tmp_path / "r")
    told = f"roundtable: {tmp_path}/b.db is no backup, or is damaged. Nothing was restored.\n"
    assert said == (1, "", told)
    assert not (tmp_path / "r").exists()
    assert call("restore", tmp_path / "none.db", "--data", tmp_path / "r").code == 1
    assert not (tmp_path / "r").exists()


def test_from_any_place_to_any_other(tmp_path: Path) -> None:
    keep(tmp_path / "d", "x")
    was = exported("--data", tmp_path / "d")
    redis_server.shared().run("FLUSHALL")
    url = redis_server.shared().url
    for source, target in [("d", url), (url, "e"), ("e", "f.db"), ("f.db", "g"), (url, "h.db")]:
        places = [place if "://" in place else tmp_path / place for place in (source, target)]
        said: Said = call("copy", *places)
        assert said.code == 0, said.err
    assert exported("--data", tmp_path / "g") == exported("--redis", url) == was
    assert call("copy", tmp_path / "d", tmp_path / "d" / ".." / "d").code == 2
    assert call("copy", url, url).code == 2
    assert call("backup", tmp_path / "i.db", "--redis", url).code == 0


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    keep(tmp_path / "d", "x")
    for args in (
        ["copy", tmp_path / "d", "redis://me:hunter2@127.0.0.1:1"],
        ["copy", "redis://:hunter2@127.0.0.1:1", tmp_path / "e"],
    ):
        said = call(*args)
        assert said.code == 1
        assert "hunter2" not in said.err
