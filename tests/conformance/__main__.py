"""`python -m tests.conformance`: a server of this code, and schemathesis against what it says of itself.

Its exit code is schemathesis': 0 when every answer is as documented.
"""

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from aiohttp import ClientSession

from roundtable.edge.auth import COOKIE
from tests.server_process import serving

SETTINGS = Path(__file__).with_name("schemathesis.toml")
PROGRAM = Path(sys.executable).with_name("schemathesis")
# A tester is one address that posts as fast as it can.
CONFIG = "posts_per_second = 1e6\ntables_per_minute = 1e6\n"


async def check(*options: str) -> tuple[int, str]:
    """Run schemathesis with these options; its exit code and everything it printed, and the server after it.

    Raises `FileNotFoundError` where schemathesis is not installed.
    """
    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        config = Path(folder, "roundtable.toml")
        config.write_text(CONFIG)
        environ = {"ROUNDTABLE_SECRET": secret}
        async with serving(
            Path(folder, "data"),
            "--config",
            str(config),
            errors=errors.fileno(),
            environ=environ,
            program="tests.conformance.server",
        ) as server:
            session = await _session(server.url, secret)
            code, text = await _run(server.url, session, folder, *options)
        errors.seek(0)
        return code, text + "".join(
            line for line in errors.read().decode().splitlines(keepends=True) if "incident" in line
        )


async def _session(url: str, secret: str) -> str:
    async with ClientSession(url) as client, client.post("/v1/session", json={"secret": secret}) as answer:
        return answer.cookies[COOKIE].value


async def _run(url: str, session: str, folder: str, *options: str) -> tuple[int, str]:
    command = [
        str(PROGRAM),
        "--no-color",
        "--config-file",
        str(SETTINGS),
        "run",
        f"{url}/openapi.json",
        *options,
    ]
    environ = {**os.environ, "ROUNDTABLE_SESSION": session, "COLUMNS": "100"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environ, stdout=PIPE, stderr=STDOUT
    )
    try:
        text, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, text.decode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument(
        "--examples", type=int, default=100, help="requests of each operation in each phase (100)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is generated (1)")
    options = parser.parse_args()
    code, text = asyncio.run(check("--max-examples", str(options.examples), "--seed", str(options.seed)))
    sys.stdout.write(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
