"""The command line as a stranger calls it: in a process of its own, with an empty home and no keys."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roundtable import cli

ROOT = Path(__file__).parent.parent
# A voice without a script says one short line; one of the demo speaks for ten seconds and more.
QUICK, SLOW = "scripted:x", "scripted:pragmatist"

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def run(tmp_path: Path, environ: dict[str, str]) -> Run:
    def run(*args: str, stdin: str | bytes = "", **extra: str) -> "subprocess.CompletedProcess[str]":
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run(
            [sys.executable, "-m", "roundtable.cli", *args],
            input=data, capture_output=True, env=environ | extra, cwd=tmp_path, timeout=60, check=False,
        )  # fmt: skip
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(args, done.returncode, out, err)

    return run


@pytest.fixture
def start(tmp_path: Path, environ: dict[str, str]) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def start(*args: str, **extra: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "roundtable.cli", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environ | extra, cwd=tmp_path, text=True,
        )  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def address(server: "subprocess.Popen[str]") -> str:
    """The line a server prints once it listens, without its beginning."""
    assert server.stdout
    line = server.stdout.readline()
    assert line.startswith("listening on http://"), line
    return line.removeprefix("listening on ").strip()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


def post(url: str, **body: object) -> bytes:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return bytes(response.read())


# -- the command itself ------------------------------------------------------------------------------------------


def test_it_says_what_it_can_do(run: Run) -> None:
    assert run("--version").stdout == "roundtable 0.1.0\n"
    everything = run("--help").stdout
    for command in (
        "serve",
        "ask",
        "fork",
        "panels",
        "policies",
        "watch",
        "replay",
        "export",
        "models",
        "doctor",
        "backup",
        "restore",
        "copy",
    ):
        assert f"\n    {command} " in everything
    nothing = run()
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "roundtable ask" in nothing.stderr


@pytest.mark.parametrize("command", [module.__name__.rpartition(".")[2] for module in cli._COMMANDS])
def test_each_command_has_examples_in_eighty_columns(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    told = capsys.readouterr().out
    assert f"  roundtable {command}" in told
    assert max(map(len, told.splitlines())) <= 80


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["serve", "--redis", "postgres://x"], "The Redis URL cannot be read"),
        (["serve", "--workers", "2"], "--workers above 1 needs --redis"),
        (["serve", "--host", "0.0.0.0"], "needs a secret"),
        (["serve", "--port", "70000"], "port: Expected `int` <= 65535"),
        (["serve", "--config", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["ask", ""], "There is no question"),
        (["ask", "-"], "There is no question"),
        (["ask", "Why?", "--panel", "nope:x"], "no provider 'nope'"),
        (["ask", "Why?", "--panel", "openai:gpt-5.4"], "OPENAI_API_KEY"),
        (["ask", "Why?", "--seat", "Ada"], "is not NAME=provider:model"),
        (["ask", "Why?", "--seat", f"Ada={QUICK}", "--seat", f"Ada={QUICK}"], "Two panelists are named 'Ada'"),
        (["ask", "Why?", "--rounds", "0"], "is more than 0"),
        (["ask", "Why?", "--policy", "anarchy"], "There is no policy 'anarchy'; there is round_robin"),
        (["ask", "Why?", "--max-dollars", "nan"], "limits.max_dollars is nan"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_in_one_line(run: Run, args: list[str], told: str) -> None:
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]


def test_a_misspelt_setting_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "roundtable.toml").write_text("prot = 1")
    done = run("serve", "--config", "roundtable.toml")
    assert done.returncode == 2
    assert done.stderr == "roundtable: roundtable.toml: prot is not a setting; did you mean port?\n"


def test_a_data_folder_that_cannot_be_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("ask", "Why?", "--data", "file", "--panel", QUICK)
    assert done.returncode == 1
    assert done.stderr.startswith("roundtable: file cannot hold the log")


# -- models ------------------------------------------------------------------------------------------------------


def test_models_says_what_is_missing(run: Run) -> None:
    done = run("models")
    assert done.returncode == 0
    head, *rows = done.stdout.splitlines()
    assert re.match(r"PROVIDER +USABLE +WHO SEES IT +MODELS", head)
    openai = next(row for row in rows if row.startswith("openai "))
    assert openai[head.index("USABLE") :].startswith("no ")
    assert "OPENAI_API_KEY" in openai
    scripted = next(row for row in rows if row.startswith("scripted "))
    assert scripted[head.index("USABLE") :].startswith("yes ")


def test_models_never_shows_a_key(run: Run) -> None:
    done = run("models", "--json", OPENAI_API_KEY="sk-hunter2")
    assert "hunter2" not in done.stdout + done.stderr
    openai = next(status for status in json.loads(done.stdout) if status["name"] == "openai")
    assert openai["usable"] is True


# -- ask ---------------------------------------------------------------------------------------------------------


def test_ask_may_come_to_a_verdict(run: Run) -> None:
    done = run("ask", "Why?", "--panel", QUICK, "--rounds", "1", "--verdict")
    assert done.returncode == 0
    assert "Verdict: 1 of 1 answered; " in done.stdout


def test_a_table_in_a_pipe(run: Run, tmp_path: Path) -> None:
    done = run("ask", "Why?", "--seat", f"Ada={QUICK}", "--panel", f"{QUICK},{QUICK}", "--rounds", "1")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\nAda\n  This is scripted:x" in done.stdout
    assert "\nx #2\n  This is scripted:x" in done.stdout
    assert re.search(r"3 turns, \d+ tokens read, \d+ written, \$0\.00\.\n$", done.stdout)
    assert str(tmp_path / ".local/share/roundtable") in done.stderr
    assert re.search(r"/t/[0-9a-z]{16}$", done.stderr.strip())


def test_a_question_from_a_pipe_and_the_log_as_json(run: Run) -> None:
    done = run("ask", "-", "--panel", QUICK, "--rounds", "1", "--json", stdin="Warum? \u2028 🦆\n")
    entries = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    assert done.returncode == 0
    assert [int(entry["id"].partition("-")[2]) for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[1]["type"] == "table.opened"
    assert entries[1]["topic"] == "Warum? \u2028 🦆"
    assert entries[-1]["type"] == "table.closed"


def test_off_the_record_nothing_is_kept(run: Run, tmp_path: Path) -> None:
    done = run("ask", "Why?", "--panel", QUICK, "--rounds", "1", "--off-record")
    assert done.returncode == 0
    assert "This is scripted:x" in done.stdout
    assert done.stderr == "roundtable: the table was off the record: nothing of it is kept\n"
    assert list(tmp_path.iterdir()) == []


def test_a_question_that_is_no_text(run: Run) -> None:
    done = run("ask", "-", stdin=b"\xff\xfe")
    assert done.returncode == 2
    assert "not valid UTF-8" in done.stderr


def test_a_terminal_that_knows_no_umlauts(run: Run) -> None:
    done = run("ask", "Wärum?", "--panel", QUICK, "--rounds", "1", PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert done.returncode == 0
    assert "W\\xe4rum?" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_the_table_and_says_where_it_is(run: Run, start: Start, number: signal.Signals) -> None:
    asking = start("ask", "Why?", "--panel", SLOW, "--json", "--data", "d")
    assert asking.stdout
    while '"turn.delta"' not in asking.stdout.readline():
        pass
    asking.send_signal(number)
    out, err = asking.communicate(timeout=10)
    assert asking.returncode == 130
    assert [json.loads(line)["type"] for line in out.splitlines()[-2:]] == ["turn.cancelled", "table.closed"]
    assert re.search(r"serve --data d` has it at /t/\w{16}$", err.strip())


def test_when_the_reader_goes_the_table_ends(start: Start, run: Run, tmp_path: Path) -> None:
    asking = start("ask", "Why?", "--panel", SLOW, "--json", "--data", "d")
    assert asking.stdout
    assert asking.stderr
    asking.stdout.readline()
    asking.stdout.close()
    assert asking.wait(timeout=10) == 141
    assert asking.stderr.read() == ""
    assert last_entry(start, "d")["status"] == "closed"


def test_in_a_terminal_there_are_colours_and_lines_have_an_end(
    environ: dict[str, str], tmp_path: Path
) -> None:
    def ask(**extra: str) -> str:
        mine, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "roundtable.cli", "ask", "Why?", "--panel", QUICK, "--rounds", "1"],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env=environ | extra, cwd=tmp_path,
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(mine, 65536):
                shown += piece
        except OSError:  # how Linux says that the other side was closed
            pass
        os.close(mine)
        assert process.wait(timeout=30) == 0
        return shown.decode().replace("\r", "")

    assert "\x1b[36mx\x1b[0m" in ask(COLUMNS="40").replace("\n", "")
    plain = ask(COLUMNS="40", NO_COLOR="1")
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 40


# -- serve -------------------------------------------------------------------------------------------------------


def last_entry(start: Start, data: str) -> dict[str, object]:
    """The newest table in a data folder, as a server lists it."""
    server = start("serve", "--port", "0", "--data", data)
    listed = json.loads(get(f"{address(server)}/v1/roundtables"))
    server.terminate()
    assert server.wait(timeout=15) == 0
    newest: dict[str, object] = listed["roundtables"][0]
    return newest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_stops_with_a_stream_open(start: Start, number: signal.Signals) -> None:
    server = start("serve", "--port", "0", "--data", "d")
    url = address(server)
    panel = [{"name": "Ada", "model": SLOW}]
    table = json.loads(post(f"{url}/v1/roundtables", topic="Why?", panel=panel))
    with urllib.request.urlopen(url + table["links"]["events"], timeout=15) as stream:
        assert stream.readline() == b": \n"
        server.send_signal(number)
        assert stream.read().rstrip().split(b"\n")[-1].startswith(b"retry: ")
    out, err = server.communicate(timeout=15)
    assert (server.returncode, out) == (0, "")
    assert "Traceback" not in err


def test_a_table_goes_on_after_a_restart(start: Start) -> None:
    first = start("serve", "--port", "0", "--data", "d")
    panel = [{"name": "Ada", "model": SLOW}]
    post(f"{address(first)}/v1/roundtables", topic="Why?", panel=panel)
    first.kill()
    first.wait()
    assert last_entry(start, "d")["status"] == "open"


def test_a_data_folder_belongs_to_one_process(start: Start, run: Run) -> None:
    server = start("serve", "--port", "0", "--data", "d")
    address(server)
    for args in (["ask", "Why?", "--panel", QUICK], ["serve", "--port", "0"]):
        done = run(*args, "--data", "d")
        assert done.returncode == 1
        assert f"pid {server.pid}" in done.stderr
        assert "--data" in done.stderr


def test_others_come_in_with_the_secret(start: Start) -> None:
    server = start("serve", "--host", "0.0.0.0", "--port", "0", "--data", "d", ROUNDTABLE_SECRET="hunter2")
    url = address(server).replace("0.0.0.0", "127.0.0.1")
    assert get(f"{url}/healthz")
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(f"{url}/v1/roundtables")
    caught.value.close()
    assert caught.value.code == 401
    request = urllib.request.Request(f"{url}/v1/roundtables", headers={"Authorization": "Bearer hunter2"})
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 200
    server.terminate()
    out, err = server.communicate(timeout=15)
    assert "hunter2" not in out + err
