"""The published schema against what is really written: every entry and every transcript of the golden tables."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from protocol.schema import FILE, schema

GOLDEN = Path(__file__).with_name("golden")
DOCUMENT = json.loads(FILE.read_text())
SCENARIOS = sorted(path.stem for path in GOLDEN.glob("*.jsonl"))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": DOCUMENT["$defs"]})


def messages(scenario: str) -> list[dict[str, Any]]:
    text = (GOLDEN / f"{scenario}.jsonl").read_text()
    return [json.loads(line) for line in text.split("\n") if line]  # `splitlines` splits at U+2028 too


def test_the_file_is_what_the_protocol_says() -> None:
    assert schema() == DOCUMENT
    Draft202012Validator.check_schema(DOCUMENT)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_is_written_is_valid(scenario: str) -> None:
    known = {definition["properties"]["type"]["enum"][0] for definition in tagged()}
    for message in messages(scenario):
        if message["type"] in known:  # an event of a later version is in no schema of ours
            validator("Event").validate(message)
    validator("Transcript").validate(json.loads((GOLDEN / f"{scenario}.transcript.json").read_text()))


def test_a_member_that_is_missing_or_wrong_is_noticed() -> None:
    opened = messages("plain")[1]
    for change in ({"topic": 1}, {"then": "never"}, {"panel": [{"name": "Ada"}]}):
        with pytest.raises(ValidationError):
            validator("Event").validate(opened | change)
    del opened["topic"]
    with pytest.raises(ValidationError):
        validator("Event").validate(opened)


def tagged() -> list[dict[str, Any]]:
    names = (each["$ref"].rpartition("/")[2] for each in DOCUMENT["$defs"]["Event"]["anyOf"])
    return [DOCUMENT["$defs"][name] for name in names]
