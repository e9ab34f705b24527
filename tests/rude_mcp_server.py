"""A server of tools over stdio that behaves as it is told (`python tests/rude_mcp_server.py WAY`), by hand and without
the SDK: it starts at once, and says what the SDK would not."""

import json
import sys
import time
from pathlib import Path
from typing import Any

TOOLS: dict[str, Any] = {
    "echo": {"type": "object", "properties": {"text": {"type": "string"}}},
    "hang": {"type": "object"},
    "die": {"type": "object"},
    "shout": {"type": "object", "properties": {"bytes": {"type": "integer"}}},
    "endless": {"type": "object"},
    "chatter": {"type": "object"},
    "nonsense": {"type": "object"},
}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"deeper": schema}}
    return schema


LIES: dict[str, Any] = {
    "deep": nested(50),
    "wide": {"type": "object", "description": "x" * 20_000},
    "bad name\n": {"type": "object"},
    "fine": {"type": "object"},
}


def say(**members: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **members}) + "\n")
    sys.stdout.flush()


def words(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


def call(id: int, name: str, arguments: dict[str, Any]) -> None:
    match name:
        case "hang":
            return
        case "die":
            sys.exit(1)
        case "shout":
            say(id=id, result=words("x" * int(arguments["bytes"])))
        case "endless":
            while True:
                sys.stdout.write("x" * 65_536)
        case "chatter":
            for _ in range(900):
                say(method="notifications/message", params={"level": "info", "data": "hm"})
            say(id=id, result=words("At last."))
        case "nonsense":
            say(id=id, result={"content": "no list"})
        case _:
            say(id=id, result=words(str(arguments.get("text"))))


def begin(way: str) -> None:
    if way.startswith("once:"):  # it starts a first time, and not again
        mark = Path(way.removeprefix("once:"))
        if mark.exists():
            sys.exit(1)
        mark.touch()
    if way == "silent":
        time.sleep(3_600)
    sys.stdout.write("I am no message.\n")


def main(way: str) -> None:
    begin(way)
    for line in sys.stdin:
        told = json.loads(line)
        if told.get("method") == "notifications/cancelled" and way.startswith("tells:"):
            Path(way.removeprefix("tells:")).write_text(line)
        elif "id" in told:
            answer(way, told["id"], told["method"], told.get("params") or {})


def answer(way: str, id: int, method: str, params: dict[str, Any]) -> None:
    match method:
        case "initialize":
            about = {"name": "rude", "version": "1"}
            version = params["protocolVersion"]
            say(
                id=id, result={"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
            )
        case "tools/list":
            tools = {"lies": LIES, "deepest": {"deepest": nested(500)}, "array": {"echo": []}}.get(way, TOOLS)
            page: dict[str, Any] = {"nextCursor": "again"} if way == "paging" else {}
            listed = [{"name": name, "inputSchema": schema} for name, schema in tools.items()]
            say(id=id, result={"tools": listed, **page})
        case "tools/call":
            if way.startswith("tells:") and params["name"] == "hang":
                Path(way.removeprefix("tells:")).with_suffix(".asked").touch()
            call(id, params["name"], params.get("arguments") or {})
        case _:
            say(id=id, error={"code": -32601, "message": "What?"})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
