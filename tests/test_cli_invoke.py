"""`roundtable invoke`: what a person sees of an invocation, and what is left of it when she goes."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from protocol.invocation import Cancelled
from roundtable.client import Client
from roundtable.config import Config
from roundtable.edge import app, keys
from tests.command_line import Said, call
from tests.server_process import ROOT
from tests.test_attendance import ended

TALKS = (
    "panelist/scripted:x",
    "--arg",
    "prompt=Why?",
    "--arg",
    'options={"text":"One two.","rate":0,"ttft":0}',
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    server = TestServer(app.build(Config(data=tmp_path)))
    async with server:
        yield server


async def invoke(server: TestServer, *args: str) -> Said:
    return await asyncio.to_thread(call, "invoke", *args, "--server", str(server.make_url("")))


async def test_words_as_they_come_and_how_it_ended(server: TestServer) -> None:
    said = await invoke(server, *TALKS)
    assert (said.code, said.out) == (0, "One two.\n")
    assert "done (end)" in said.err


async def test_everything_as_json(server: TestServer) -> None:
    said = await invoke(server, *TALKS, "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["type"] for line in lines] == ["init", "step", "step", "converge"]
    assert lines[0]["args"]["prompt"] == "Why?"
    async with Client(str(server.make_url(""))) as client:
        assert [str(event.cursor) async for event in client.follow(lines[0]["id"])] == [
            line["cursor"] for line in lines
        ]
    again = await invoke(server, f"invocation/{lines[0]['id']}")
    assert again.out == "One two.\n"


async def test_what_fails_says_so(server: TestServer) -> None:
    args = '{"model": "scripted:x", "prompt": "Why?", "options": {"error": "quota", "text": "a"}}'
    said = await invoke(server, "complete", "--args", args)
    assert said.code == 1
    assert "it failed" in said.err
    said = await invoke(server, "compleet")
    assert (said.code, said.out) == (2, "")
    assert "did you mean tool/complete" in said.err
    with pytest.raises(SystemExit):
        call("invoke", "complete", "--arg", "steps")


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        ([], "invoke --list"),
        (["x/y"], "an address is tool/NAME"),
        (["tool/"], "an address is tool/NAME"),
        (["roundtable/x"], "`roundtable watch x`"),
        (["vector_markov", "--arg", "stepz=1"], "did you mean steps?"),
        (["vector_markov", "--arg", "steps=many"], "steps: Expected `int`, got `str`"),
        (["complete"], "`model`"),
    ],
)
async def test_what_cannot_be_invoked_says_how(server: TestServer, args: list[str], hint: str) -> None:
    said = await invoke(server, *args)
    assert (said.code, said.out) == (2, "")
    assert hint in said.err


async def test_what_there_is_to_invoke_is_listed_with_its_arguments(server: TestServer) -> None:
    said = await invoke(server, "--list")
    assert said.code == 0
    assert "vector_markov\n" in said.out
    assert "seed=0, steps=10000, dim=16" in said.out
    assert "  model, [prompt]" in said.out
    told = [json.loads(line) for line in (await invoke(server, "--list", "--json")).out.splitlines()]
    assert "complete" in [tool["name"] for tool in told]


async def test_numbers_beside_the_steps_are_for_programs(server: TestServer) -> None:
    walk = ("vector_markov", "--arg", "steps=1", "--arg", "dim=1")
    said = await invoke(server, *walk)
    assert len(said.out.splitlines()) == 2  # the step and the result
    assert '"type":"entropy"' in (await invoke(server, *walk, "--json")).out


async def test_ctrl_c_ends_what_was_begun(server: TestServer) -> None:
    slow = '{"model": "scripted:x", "prompt": "Why?", "options": {"text": "a", "ttft": 3600}}'
    command = ("invoke", "complete", "--args", slow, "--json", "--server", str(server.make_url("")))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roundtable.cli",
        *command,
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
        env=dict(os.environ),
    )
    try:
        assert process.stdout
        async with asyncio.timeout(30):
            id = json.loads(await process.stdout.readline())["id"]
            process.send_signal(signal.SIGINT)
            end = await ended(server.app[keys.LOG], id)
            _, err = await process.communicate()
        assert isinstance(end, Cancelled)
        assert end.reason == "command"
        assert process.returncode == 130
        assert b"Traceback" not in err
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
