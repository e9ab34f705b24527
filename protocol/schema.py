"""JSON Schema of everything on the wire, from which the web's types are generated.

`python -m protocol.schema` writes `protocol/schema.json`; with `--check` it only compares, and exits 1 on drift.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from protocol import asked, commands, events, findings, transcript

FILE = Path(__file__).with_name("schema.json")


def schema() -> dict[str, Any]:
    """The document (draft 2020-12): one definition per struct, and `Event`, `Command` as unions of theirs.

    We write every member of what we send, so all are required but those that may be unset.
    """
    roots = [events.KNOWN, commands.ANY, transcript.Transcript]
    _, definitions = msgspec.json.schema_components(roots, ref_template="#/$defs/{name}")
    for struct in _structs(roots):
        if issubclass(struct, commands.Command | asked.AskedSeat | asked.AskedLimits):
            continue  # what callers send may leave out what has a default
        required = [field.encode_name for field in msgspec.structs.fields(struct) if not _may_be_unset(field)]
        definition = definitions[struct.__name__]
        if struct.__struct_config__.tag:
            required.insert(0, "type")
            definition["properties"]["at"] = {"type": "number"}
            if not issubclass(struct, findings.Finding):  # which the transcript keeps without theirs
                required.insert(1, "at")
        definition["required"] = required
    for definition in definitions.values():
        definition["description"] = " ".join(definition.get("description", "").split())
    definitions["Event"] = _union(events.KNOWN)
    definitions["Command"] = _union(commands.ANY)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Roundtable protocol",
        "$defs": dict(sorted(definitions.items())),
    }


def _union(union: Any) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"#/$defs/{struct.__name__}"} for struct in union.__args__]}


def _structs(roots: list[Any]) -> list[type[msgspec.Struct]]:
    found: dict[str, type[msgspec.Struct]] = {}
    pending = [msgspec.inspect.type_info(root) for root in roots]
    while pending:
        info = pending.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls.__name__ in found:
                continue
            found[info.cls.__name__] = info.cls
            pending += [field.type for field in info.fields]
        elif isinstance(info, msgspec.inspect.UnionType):
            pending += info.types
        elif isinstance(info, msgspec.inspect.ListType):
            pending.append(info.item_type)
        elif isinstance(info, msgspec.inspect.DictType):
            pending.append(info.value_type)
    return list(found.values())


def _may_be_unset(field: msgspec.structs.FieldInfo) -> bool:
    return field.default is msgspec.UNSET


def main() -> int:
    """Write the schema or compare it; the process's exit code."""
    text = json.dumps(schema(), indent=1, sort_keys=True) + "\n"
    if "--check" not in sys.argv:
        FILE.write_text(text)
        return 0
    if FILE.exists() and FILE.read_text() == text:
        return 0
    sys.stderr.write("protocol/schema.json is out of date: run `make schema` and commit the result.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
