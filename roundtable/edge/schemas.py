"""Types as JSON Schema for `/openapi.json`, also for readers who know less of the standard than it says."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from protocol.events import Event
from protocol.findings import Finding

Schema = dict[str, Any]
WHERE = "#/components/schemas/"


def described(types: Sequence[Any]) -> tuple[Iterator[Schema], dict[str, Schema]]:
    """The schema of each type, and those they refer to, by name."""
    schemas, components = msgspec.json.schema_components(types, ref_template=f"{WHERE}{{name}}")
    _complete(types, schemas, components)
    named = {plain(name): {**schema, "title": plain(name)} for name, schema in sorted(components.items())}
    return iter(schemas), named


def _complete(types: Sequence[Any], schemas: Sequence[Schema], components: dict[str, Schema]) -> None:
    """Descriptions in one line; and every logged event has its time, which the log puts beside the struct."""
    for component in components.values():
        if "description" in component:
            component["description"] = " ".join(component["description"].split())
    for kind, schema in zip(types, schemas, strict=True):
        if isinstance(kind, type) and issubclass(kind, Event):
            event = components[schema["$ref"].rpartition("/")[2]]
            event["properties"]["at"] = {"type": "number", "description": "Unix seconds."}
            if not issubclass(kind, Finding):  # which the transcript keeps without theirs
                event["required"] = [*dict.fromkeys([*event["required"], "at"])]


def tidied(value: Any) -> Any:
    """For readers who know less than the standard: schemas under plain names; and a tuple, whose length is bounded
    anyway, forbids no further items; a list says of what, if only of anything."""
    match value:
        case dict():
            listed: Schema = (
                {"items": {}} if value.get("type") == "array" and "prefixItems" not in value else {}
            )
            return listed | {
                key: tidied(each) for key, each in value.items() if (key, each) != ("items", False)
            }
        case list():
            return [tidied(each) for each in value]
        case str() if value.startswith(WHERE):
            return WHERE + plain(value.removeprefix(WHERE))
        case _:
            return value


def plain(name: str) -> str:
    """Of two types of one name msgspec tells the modules: `a.b_c.D` is `BCD` here."""
    *_, module, kind = ["", *name.split(".")]
    return module.title().replace("_", "") + kind
