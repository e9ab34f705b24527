"""The SDK's README: each of its examples runs as it stands, against a server."""

import ast
import asyncio
import inspect
import re
from pathlib import Path
from types import CodeType

import pytest
from aiohttp.test_utils import TestServer

from roundtable.config import Config
from roundtable.edge import app
from roundtable.sdk.addresses import HERE

README = Path(__file__).parent.parent / "roundtable" / "sdk" / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


async def run(code: CodeType) -> None:
    done = eval(code, {})
    if inspect.isawaitable(done):
        await done


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example_runs(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with TestServer(app.build(Config(data=tmp_path))) as server:
        source = EXAMPLES[number].replace(HERE, str(server.make_url("")))
        code = compile(source, README.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            await run(code)
        else:
            await asyncio.to_thread(asyncio.run, run(code))
    if "print" in source:
        assert capsys.readouterr().out.strip()
