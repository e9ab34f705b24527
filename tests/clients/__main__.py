"""Makes an environment for each client, runs its script against one real server, and prints what came of every case.

python -m tests.clients [--envs DIR] [--only NAME]...     Environments that are there are used again.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.clients.upstream import Upstream, upstream
from tests.server_process import serving

HERE = Path(__file__).parent
SECRET = "a-secret-of-this-run"
# Seconds: for an environment from slow package indexes; for all cases of one client.
INSTALL_WITHIN, RUN_WITHIN = 600.0, 120.0
# What we promise after a caller has left; and how long we look before we say that nothing happened. Seconds.
PROMISED, LOOK_FOR = 0.050, 5.0
CONFIG = """
[providers.wire]
dialect = "openai"
base_url = "{url}"

[[panels.pair.panel]]
name = "Ada"
model = "scripted:ada"
options = {{text = "One two.", rate = 0}}

[[panels.pair.panel]]
name = "Ben"
model = "scripted:ben"
options = {{text = "Three.", rate = 0}}
"""
# LiteLLM imports mcp where there are tools, and does not name it among what it needs.
PACKAGES = {"openai": ["openai"], "llm": ["llm"], "litellm": ["litellm", "mcp"]}
JAVASCRIPT = "openai-js"


async def main() -> int:
    """0 when every case of every client went well."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients")
    parser.add_argument("--envs", type=Path, default=Path(tempfile.gettempdir()) / "roundtable-clients")
    parser.add_argument("--only", action="append", choices=[*PACKAGES, JAVASCRIPT])
    given = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        async with upstream() as model_server:
            config = Path(folder) / "config.toml"
            config.write_text(CONFIG.format(url=model_server.url))
            options = ("--config", str(config))
            async with serving(
                Path(folder) / "data", *options, environ={"ROUNDTABLE_SECRET": SECRET}
            ) as server:
                for name in given.only or [*PACKAGES, JAVASCRIPT]:
                    command, environ = await _client(name, given.envs)
                    told = {"BASE_URL": f"{server.url}/v1", "SECRET": SECRET, **environ}
                    bad += await _run(command, told, model_server)
    return 1 if bad else 0


async def _client(name: str, envs: Path) -> tuple[list[str], Mapping[str, str]]:
    """The command that runs a client's script, in an environment made if need be."""
    home = envs / name
    if name == JAVASCRIPT:
        if not (home / "node_modules/openai").exists():
            await _call(
                "npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(home), "openai"
            )
        return ["node", str(HERE / "with_openai.mjs")], {"PACKAGES": str(home)}
    python = home / "bin/python"
    if not python.exists():
        await _call(sys.executable, "-m", "venv", str(home))
        await _call(str(python), "-m", "pip", "install", "--quiet", *PACKAGES[name])
    return [str(python), str(HERE / f"with_{name}.py")], {}


async def _call(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    async with asyncio.timeout(INSTALL_WITHIN):
        if await process.wait():
            raise SystemExit(f"{' '.join(command)} failed")


async def _run(command: list[str], environ: Mapping[str, str], model_server: Upstream) -> int:
    """How many cases went wrong."""
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **environ}, stdout=PIPE)
    assert process.stdout
    bad = 0
    async with asyncio.timeout(RUN_WITHIN):
        while line := await process.stdout.readline():
            if not line.startswith(b"{"):  # what a client's dependencies have to say
                continue
            told = json.loads(line)
            if "client" in told:
                _say(f"\n{told['client']}")
                continue
            good, remark = await _judge(told, model_server)
            bad += not good
            _say(f"  {told['case']:<12} {'ok' if good else 'FAILED'}  {remark}")
        return bad + (await process.wait() != 0)


async def _judge(told: Mapping[str, Any], model_server: Upstream) -> tuple[bool, str]:
    if "error" in told:
        return False, told["error"]
    if told["left"] is None:
        return True, ""
    try:
        async with asyncio.timeout(LOOK_FOR):
            while not model_server.left:  # noqa: ASYNC110 - a handler of aiohttp's fills it
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False, "the model goes on"
    late = max(0.0, model_server.left.pop() - told["left"])  # before, where a client told us late
    return late <= PROMISED, f"the model was stopped {late * 1000:.0f} ms after the caller had left"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


sys.exit(asyncio.run(main()))
