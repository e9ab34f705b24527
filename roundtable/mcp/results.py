"""What a server of tools says, as we pass it on: results as text, tools as specifications. Nothing is trusted."""

import hashlib
import re
from typing import Any

import mcp_types as types
import msgspec

from protocol.messages import ToolSpec
from roundtable.hosting.convening import too_deep
from roundtable.table.using import MOST_RESULT, Outcome

# Characters of a tool's description: each is in every prompt of who may use it. Bytes of its schema, likewise.
MOST_DESCRIPTION, MOST_SCHEMA = 1_024, 16_384
# Levels of JSON in a schema or in arguments.
DEEPEST = 32
# What every vendor takes for a tool's name, and the longest.
_UNSAID = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 64
_NAME = re.compile(r"[A-Za-z0-9_./:-]{1,128}")


def outcome(result: types.CallToolResult) -> Outcome:
    """As text; what is none is named. More than a result may have is not put together."""
    parts, room = list[str](), MOST_RESULT
    for block in result.content:
        parts.append(_text(block)[: room + 1])
        room -= len(parts[-1])
        if room < 0:
            break
    if not parts and result.structured_content is not None:
        parts = [msgspec.json.encode(result.structured_content).decode()]
    return Outcome("\n".join(parts), error=bool(result.is_error), truncated=room < 0)


def _text(block: types.ContentBlock) -> str:
    match block:
        case types.TextContent(text=text):
            return text
        case types.ImageContent(mime_type=kind, data=data) | types.AudioContent(mime_type=kind, data=data):
            return f"(Here is something of the type {kind[:60]}, {len(data) * 3 // 4:,} bytes, which cannot be shown.)"
        case types.ResourceLink(uri=uri, name=name):
            return f"(A resource: {name[:200]}, at {str(uri)[:500]})"
        case types.EmbeddedResource(resource=types.TextResourceContents(text=text)):
            return text
        case types.EmbeddedResource(resource=resource):
            return f"(A resource that is no text, at {str(resource.uri)[:500]})"


def spec(server: str, tool: types.Tool) -> ToolSpec | None:
    """What a model is told of it; None where no model could be told."""
    schema: dict[str, Any] = tool.input_schema
    if not _NAME.fullmatch(tool.name) or schema.get("type") != "object" or too_deep(schema, DEEPEST):
        return None
    if len(msgspec.json.encode(schema)) > MOST_SCHEMA:
        return None
    about = tool.description or tool.title or ""
    return ToolSpec(_called(server, tool.name), about[:MOST_DESCRIPTION], schema)


def _called(server: str, tool: str) -> str:
    """A name that every vendor takes, and that no other tool has."""
    plain = _UNSAID.sub("_", f"{server}__{tool}")
    if len(plain) <= _LONGEST and plain == f"{server}__{tool}":
        return plain
    return f"{plain[: _LONGEST - 9]}_{hashlib.sha256(tool.encode()).hexdigest()[:8]}"
