"""The READMEs' examples in Python: each runs as it stands, against a server."""

import ast
import asyncio
import inspect
import re
from pathlib import Path
from types import CodeType

import pytest
from aiohttp.test_utils import TestServer

from protocol.messages import Panelist
from roundtable.config import Config, Panel
from roundtable.edge import app
from roundtable.sdk.addresses import HERE

ROOT = Path(__file__).parent.parent
READMES = (ROOT / "README.md", ROOT / "roundtable" / "sdk" / "README.md")
EXAMPLES = [
    each for file in READMES for each in re.findall(r"```python\n(.*?)```", file.read_text(), re.DOTALL)
]


async def run(code: CodeType) -> None:
    done = eval(code, {})
    if inspect.isawaitable(done):
        await done


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example_runs(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    brief = Panel(panel=(Panelist("Ada", "scripted:ada"),))  # the demo voices take half a minute
    async with TestServer(app.build(Config(data=tmp_path, panels={"default": brief}))) as server:
        source = EXAMPLES[number].replace(HERE, str(server.make_url("")).rstrip("/"))
        code = compile(source, f"example {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            await run(code)
        else:
            await asyncio.to_thread(asyncio.run, run(code))
    if "print" in source:
        assert capsys.readouterr().out.strip()
