"""A real server of tools, built with the official SDK: `python -m tests.mcp_server`, over stdio; with `--http` on a
port of its own choice, which it prints."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer

server = MCPServer("tests", log_level="ERROR")


@server.tool()
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


@server.tool()
def tell(name: str) -> str:
    """Tell a variable of the environment, and murmur it."""
    sys.stderr.write(f"{os.environ.get(name)}\n")
    sys.stderr.flush()
    return f"{name} is {os.environ.get(name, 'nothing')}."


@server.tool()
async def wait(mark: str) -> str:
    """Wait for ever; begin and cancellation are marked by a file."""
    Path(f"{mark}.began").touch()
    try:
        await asyncio.Event().wait()
    finally:
        Path(f"{mark}.cancelled").touch()
    return "never"


@server.tool()
def picture() -> Image:
    """A picture of three bytes."""
    return Image(data=b"png", format="png")


@server.tool()
def start() -> str:
    """Start another program, which outlives this one unless it is stopped with it; its number."""
    return str(subprocess.Popen(["sleep", "600"]).pid)


@server.tool()
async def grow(context: Context) -> str:
    """Have one tool more, and say so."""
    server.tool("grown")(lambda: "I am new.")
    await context.session.send_tool_list_changed()
    return "Grown."


async def over_http() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp\n")
        sys.stdout.flush()
        app = server.streamable_http_app()
        await uvicorn.Server(uvicorn.Config(app, log_level="error")).serve(sockets=[listening])


if __name__ == "__main__":
    if "--http" in sys.argv:
        asyncio.run(over_http())
    else:
        server.run()
