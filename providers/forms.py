"""What a demo voice answers where a method asks for a form: quick, readable, and by chance. It has no opinion."""

import json
import re
import zlib

_ASKS_FOR_A_FORM = re.compile(r"(?:Answer|End) with one JSON object (?:and nothing else|that)")
_ANSWERS = re.compile(r"^These are (\d+) answers", re.MULTILINE)
_CANDIDATE = re.compile(r"^- (.+?)(?: \(.*\))?: \d+ turns, (\d+) tokens$", re.MULTILINE)


def fill_in(voice: str, task: str, heard: int) -> str | None:
    """The form that `task` asks for; None when it asks for none. `heard` is how many contributions came before.

    A bid is 1 to 8, by a checksum; a moderator names who spoke least; a vote is undecided. Answers are ranked as they
    are shown, so that two ballots in opposite orders cancel out. A form that is not known here stays empty, and the
    method does without.
    """
    if not _ASKS_FOR_A_FORM.search(task):
        return None
    if shown := _ANSWERS.search(task):
        return json.dumps({"ranking": [f"Answer {chr(ord('A') + place)}" for place in range(int(shown[1]))]})
    if '"vote"' in task:
        return json.dumps({"vote": "undecided"})
    if '"urgency"' in task:
        return json.dumps({"urgency": 1 + zlib.crc32(f"{voice}/{heard}".encode()) % 8})
    if found := _CANDIDATE.findall(task):
        name, _ = min(found, key=lambda each: int(each[1]))
        return json.dumps({"speaker": name}, ensure_ascii=False)
    return "{}"
