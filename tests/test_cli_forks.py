"""fork, panels and policies as a person calls them, here and on a server."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from roundtable import policies
from roundtable.cli import main
from roundtable.config import Config
from roundtable.edge import app
from tests.command_line import SCENE, Said, call, keep

AFTER = next(str(entry.cursor) for entry in SCENE if "Completed" in type(entry.event).__name__)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory that has the scene as table `x`."""
    keep(tmp_path / "d", "x")
    return tmp_path / "d"


@pytest.fixture
async def url(data: Path) -> AsyncIterator[str]:
    async with TestServer(app.build(Config(data=data))) as server:
        yield str(server.make_url("")).rstrip("/")


async def called(*args: object) -> Said:
    """A call beside a server in this process."""
    return await asyncio.to_thread(call, *args)


# -- fork ----------------------------------------------------------------------------------------------------------


def test_a_fork_is_held_here_with_its_changes(data: Path) -> None:
    said = call(
        "fork", "x", "--data", data, "--model", "Ben=scripted:other", "--order", "Ben,Ada", "--rounds", 1,
        "--ask", "And now?", "--title", "Again",
    )  # fmt: skip
    assert said.code == 0, said.err
    past, new = said.out.split("And now?")
    assert "Because of **dragons**." in past
    assert re.findall(r"^\w+$", new, re.MULTILINE) == ["Ben", "Ada"]
    assert "Ben\n  This is scripted:other" in new
    assert re.search(r"at /t/\w{16}$", said.err.strip())


def test_a_fork_may_leave_the_end_out(data: Path) -> None:
    said = call(
        "fork",
        "x",
        "--data",
        data,
        "--after",
        AFTER,
        "--model",
        "Ben=scripted:other",
        "--rounds",
        1,
        "--json",
    )
    entries = [json.loads(line) for line in said.out.splitlines()]
    said_first = next(entry["text"] for entry in entries if entry["type"] == "turn.completed")
    assert said_first == "Because of **dragons**."
    assert not [entry for entry in entries if entry["type"] == "message.posted"], "that was said later"
    assert entries[1]["origin"]["cursor"] == AFTER


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--model", "Zed=scripted:x"], "Nobody here is called 'Zed'; there is Ada, Ben."),
        (["--order", "Ada,Ada"], "Two panelists are named 'Ada'"),
        (["--after", "7-3"], "This table has no entry 7-3"),
        (["--to", "Ada"], "--to is for what --ask says."),
        (["--ask", "Why?", "--to", "Zed"], "Nobody named 'Zed'"),
    ],
)
def test_what_cannot_be_forked(data: Path, args: list[str], told: str) -> None:
    said = call("fork", "x", "--data", data, *args)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


async def test_a_fork_on_a_server(url: str) -> None:
    said = await called("fork", f"{url}/t/x", "--ask", "And now?", "--rounds", 1)
    assert (said.code, said.err) == (0, "")
    fork = said.out.strip()
    assert fork.startswith(f"{url}/t/")
    shown = await called("watch", fork)
    assert "And now?" in shown.out
    assert "the last round is over" in shown.out
    there = await called("fork", "x", "--server", url, "--json")
    assert re.fullmatch(r"\w{16}\n", there.out)


def test_limits_that_are_not_set_anew_stay(tmp_path: Path) -> None:
    data = tmp_path / "d"
    asked = call(
        "ask", "Why?", "--data", data, "--panel", "scripted:x", "--rounds", 1, "--max-dollars", 2, "--json"
    )
    table = json.loads(asked.out.splitlines()[1])["table"]
    forked = call("fork", table, "--data", data, "--rounds", 3, "--json")
    limits = json.loads(forked.out.splitlines()[1])["limits"]
    assert (limits["max_rounds"], limits["max_dollars"]) == (3, 2.0)


# -- panels --------------------------------------------------------------------------------------------------------


def test_a_panel_is_kept_shown_asked_and_deleted(tmp_path: Path) -> None:
    home = ("--data", tmp_path / "d")
    assert call("panels", *home).err.startswith("roundtable: no panel is kept here")
    saved = call(
        "panels", "save", "review", *home, "--policy", "parallel", "--rounds", 1, "--until", "passes,convergence=0.2",
        "--seat", "Ada=scripted:ada", "--seat", "Ben=scripted:x", "--seat", "Cleo=scripted:c",
        "--role", "Cleo=chair", "--fallback", "Ada=scripted:z", "--persona", "Ben=A cook.",
    )  # fmt: skip
    assert saved == call("panels", "show", "review", *home)
    assert saved.out == (
        "review: parallel, 1 rounds, then close; verdict: as the policy has it\n"
        "until: convergence=0.2, passes\n"
        "  Ada   panelist  scripted:ada, scripted:z\n"
        "  Ben   panelist  scripted:x                A cook.\n"
        "  Cleo  chair     scripted:c\n"
    )
    listed = call("panels", *home).out.splitlines()
    assert listed[1].split(maxsplit=3) == ["review", "saved", "parallel", "Ada, Ben, Cleo (chair)"]
    asked = call("ask", "Why?", *home, "--panel", "review", "--json")
    opened = json.loads(asked.out.splitlines()[1])
    assert (opened["policy"], opened["limits"]["max_rounds"]) == ("parallel", 1)
    assert opened["panel"][0]["fallback"] == ["scripted:z"]
    both = call("ask", "Why?", *home, "--panel", "review", "--seat", "Dag=scripted:d")
    assert (both.code, "has its seats" in both.err) == (2, True)
    assert call("panels", "delete", "review", *home).code == 0
    assert "There is no panel 'review'" in call("ask", "Why?", *home, "--panel", "review").err


async def test_panels_of_a_server(url: str, data: Path) -> None:
    saved = await called(
        "panels", "save", "one", "--server", url, "--panel", "scripted:x,scripted:x", "--json"
    )
    assert [seat["name"] for seat in json.loads(saved.out)["panel"]] == ["x", "x #2"]
    assert "one   saved  round_robin  x, x #2" in (await called("panels", "--server", url)).out
    busy = await called("panels", "--data", data)
    assert (busy.code, busy.out) == (1, "")
    assert busy.err.endswith("A server is asked with --server URL.\n")


# -- policies ------------------------------------------------------------------------------------------------------


def test_every_method_says_what_it_is_for() -> None:
    said = call("policies")
    assert (said.code, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) < 80
    assert [line["name"] for line in json.loads(call("policies", "--json").out)][
        : len(policies.OURS)
    ] == list(policies.OURS)
    assert "Comes to a verdict." in said.out


# -- ask -----------------------------------------------------------------------------------------------------------


def test_a_file_a_title_and_an_end(tmp_path: Path) -> None:
    (tmp_path / "letters.csv").write_text("3;old;new")
    said = call(
        "ask", "Why?", "--data", tmp_path / "d", "--panel", "scripted:x,scripted:y", "--file", tmp_path / "letters.csv",
        "--title", "Letters", "--until", "loop", "--rounds", 9, "--no-verdict",
    )  # fmt: skip
    assert said.code == 0
    assert "Host laid 'letters.csv' on the table." in said.out
    assert "the panel was repeating itself" in said.out
    assert "Verdict" not in said.out


@pytest.mark.parametrize(("policy", "rounds"), [("round_robin", 2), ("red_team", 2), ("debate", 3)])
def test_a_method_has_its_own_length(tmp_path: Path, policy: str, rounds: int) -> None:
    said = call(
        "ask", "Why?", "--off-record", "--panel", "scripted:x,scripted:y", "--policy", policy, "--json"
    )
    assert json.loads(said.out.splitlines()[1])["limits"]["max_rounds"] == rounds


# -- what is typed wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["ask", "Why?", "--panel", "nope"], "There is no panel 'nope', and no model"),
        (["ask", "Why?", "--panel", "nope", "--off-record"], "only the configuration's panels"),
        (["ask", "Why?", "--panel", "scripted:x", "--role", "Ada=chair"], "There is no seat 'Ada'; there is x."),
        (["ask", "Why?", "--panel", "scripted:x", "--role", "x=king"], "there is chair and moderator"),
        (["ask", "Why?", "--until", "convergence=2"], "between 0 and 1"),
        (["ask", "Why?", "--file", "nowhere.pdf"], "nowhere.pdf: No such file"),
        (["fork", "nowhere"], "There is no table 'nowhere'"),
        (["panels", "save"], "needs a name"),
        (["panels", "list", "x"], "takes no name"),
        (["panels", "save", "x"], "A panel has seats"),
        (["panels", "save", "a/b", "--panel", "scripted:x"], "begins with a letter or digit"),
        (["panels", "show", "x"], "There is no panel 'x' here."),
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_in_one_line(tmp_path: Path, args: list[str], told: str) -> None:
    said = call(*args, "--data", tmp_path / "d")
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["ask", "Why?", "--until", "bored"], "'bored' ends nothing; there is passes"),
        (["ask", "Why?", "--until", "convergence=x"], "is no number from 0 to 1"),
        (["fork", "nowhere", "--after", "x"], "is not a cursor"),
    ],
)  # fmt: skip
def test_a_word_that_is_none(capsys: pytest.CaptureFixture[str], args: list[str], told: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(args)
    assert told in capsys.readouterr().err
