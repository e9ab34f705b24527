"""What another package adds by entry point is used by a real server; what is broken in it is named and no more.

`example_package` is the worked example: a tool, a policy and a provider.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from protocol import sse
from tests.server_process import PATIENCE, ROOT, serving

EXAMPLE = Path(__file__).parent / "example_package"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as pip installs it, in a directory of its own; nothing is asked of any network."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target), str(EXAMPLE)]
    subprocess.run(pip + offline, check=True, timeout=PATIENCE)
    return target


@pytest.fixture
async def session(installed: Path, tmp_path: Path) -> AsyncIterator[ClientSession]:
    """Of a server process that finds the package."""
    environ = {"PYTHONPATH": str(installed), "PARROT_SAYS": "Arr!"}
    with (tmp_path / "errors").open("wb") as errors:
        async with (
            serving(tmp_path, errors=errors, environ=environ) as server,
            ClientSession(server.url) as session,
        ):
            yield session


async def invoke(session: ClientSession, tool: str, **args: Any) -> list[tuple[str, Any]]:
    """Every event of an invocation, with its data."""
    async with session.post("/invoke", json={"tool": tool, "args": args}) as response:
        assert response.status == 200, await response.text()
        decoder = sse.Decoder()
        frames = [frame async for piece in response.content.iter_any() for frame in decoder.feed(piece)]
    return [(frame.event, msgspec.json.decode(frame.data)) for frame in frames if frame.event]


async def test_a_package_adds_a_tool_a_policy_and_a_provider(session: ClientSession) -> None:
    events = await invoke(session, "dice", wanted=6, seed=4)
    assert events[-1][1]["final"] == sum(name == "step" for name, _ in events)
    assert events[-2][1]["shows"] == 6
    said = await invoke(session, "panelist/parrot:grey", prompt="Pieces of eight")
    assert said[-1][1]["final"]["text"] == "Arr! Pieces of eight "
    panel = [{"name": name, "model": "parrot:grey"} for name in ("Ada", "Ben")]
    held = await invoke(session, "convene", topic="Why?", panel=panel, policy="last_first")
    assert [turn["panelist"] for turn in held[-1][1]["final"]["turns"]] == ["Ben", "Ada"]


async def test_what_is_broken_is_named_and_nothing_else_suffers(
    session: ClientSession, tmp_path: Path
) -> None:
    async with session.get("/v1/tools") as response:
        found = await response.json()
    assert "dice" in [tool["name"] for tool in found["tools"]]
    assert found["broken"] == [{"name": "torn", "detail": "it does not load: AttributeError."}]
    async with session.post("/invoke", json={"tool": "torn", "args": {}}) as response:
        assert response.status == 404
        assert "does not load: AttributeError" in (await response.json())["detail"]
    async with session.get("/v1/policies") as response:
        assert "last_first" in [policy["name"] for policy in (await response.json())["policies"]]
    errors = (tmp_path / "errors").read_text()
    assert "the installed tool torn cannot be used" in errors
    assert "the installed policy torn cannot be used" in errors


def command(installed: Path, *args: str) -> str:
    """What a command prints, which is nothing on stderr."""
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    call = [sys.executable, "-m", "roundtable.cli", *args]
    said = subprocess.run(call, env=environ, cwd=ROOT, capture_output=True, check=False, timeout=PATIENCE)
    assert said.stderr == b""
    return said.stdout.decode()


def test_a_command_that_needs_no_package_imports_none(installed: Path) -> None:
    assert "default: round_robin" in command(installed, "ask", "--help")


def test_doctor_names_what_is_broken_in_a_package(installed: Path, tmp_path: Path) -> None:
    found = msgspec.json.decode(command(installed, "doctor", "--json", "--data", str(tmp_path)))
    assert [each["detail"] for each in found if each["what"] == "packages"] == [
        "the tool torn: it does not load: AttributeError.",
        "the policy torn: it does not load.",
    ]
