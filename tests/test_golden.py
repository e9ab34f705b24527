"""The golden transcripts: what `web/src/reduce.ts` must do is what `protocol/transcript.py` does."""

import json

import pytest

from protocol.codec import decode_body, encode
from protocol.cursor import Cursor
from protocol.errors import IllegalMove
from protocol.transcript import apply, fold
from tests.golden_scenarios import FOLDER, ILLEGAL, SCENARIOS, files, illegal

NAMES = [scenario.__name__ for scenario in SCENARIOS]


def test_files_are_what_the_scenarios_write() -> None:
    written = {file.name: file.read_bytes().decode() for file in FOLDER.iterdir()}
    assert written == files(), "run `python -m tests.golden_scenarios` and commit the result"


@pytest.mark.parametrize("name", NAMES)
def test_folding_the_messages_gives_the_transcript(name: str) -> None:
    lines = (FOLDER / f"{name}.jsonl").read_bytes().decode().split("\n")[:-1]
    entries = [decode_body(Cursor.parse(json.loads(line)["id"]), line.encode()) for line in lines]
    expected = json.loads((FOLDER / f"{name}.transcript.json").read_bytes())
    assert json.loads(encode(fold(entries))) == expected


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_move_raises_and_changes_nothing(name: str) -> None:
    transcript, entry = illegal(name)
    before = encode(transcript)
    with pytest.raises(IllegalMove):
        apply(transcript, entry)
    assert encode(transcript) == before
