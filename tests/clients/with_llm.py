"""`llm`, which knows us by its extra-openai-models.yaml. Each case prints a line of JSON, as in with_openai.py."""

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

HOME = Path(tempfile.mkdtemp())
os.environ["LLM_USER_PATH"] = str(HOME)
MODELS = {name: f"wire:{name}" for name in ("words", "broken", "tool", "limited", "endless")}
MODELS |= {"pair": "roundtable/pair", "other": "wire:words"}
(HOME / "extra-openai-models.yaml").write_text(
    "".join(
        f"- model_id: {id}\n  model_name: '{name}'\n  api_base: {os.environ['BASE_URL']}\n"
        f"  api_key_name: roundtable\n  supports_tools: true\n  responses: {'true' if id == 'other' else 'false'}\n"
        for id, name in MODELS.items()
    )
)
(HOME / "keys.json").write_text(json.dumps({"roundtable": os.environ["SECRET"]}))

import llm  # type: ignore[import-not-found] # noqa: E402 - it reads its folder when it is imported


def whole() -> None:
    """Not streamed."""
    found = llm.get_model("words").prompt("Why?", stream=False)
    assert found.text() == "One two three."
    assert found.usage().output == 3


def stream() -> None:
    """Streamed, with usage."""
    found = llm.get_model("words").prompt("Why?", stream=True)
    assert "".join(found) == "One two three."
    assert found.usage().output == 3


def tools() -> None:
    """A function that is called, and its result sent back."""

    def look(where: str) -> str:
        """Look somewhere."""
        return f"42 {where}"

    assert llm.get_model("tool").chain("Why?", tools=[look]).text().endswith("It is 42 here.")


def refused() -> None:
    """A limit."""
    assert "Too many" in failing("limited", stream=False)


def broken() -> None:
    """An error in mid-stream."""
    assert "on fire" in failing("broken", stream=True)


def panel() -> None:
    """A table as one answer."""
    assert llm.get_model("pair").prompt("Why?").text() == "**Ada:** One two.\n\n**Ben:** Three."


def responses() -> None:
    """The other API."""
    assert llm.get_model("other").prompt("Why?").text() == "One two three."


def leave() -> float:
    """The command line, interrupted amid a stream."""
    command = [str(Path(sys.executable).with_name("llm")), "-m", "endless", "--no-log", "Why?"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.read(5)
        process.kill()
        process.wait()  # a large program takes its time to go, and its connection goes with it
        return time.time()


def failing(model: str, *, stream: bool) -> str:
    """What an error says."""
    try:
        llm.get_model(model).prompt("Why?", stream=stream).text()
    except Exception as error:  # noqa: BLE001 - llm wraps it
        return str(error)
    raise AssertionError("nothing was raised")


sys.stdout.write(json.dumps({"client": f"llm {version('llm')}"}) + "\n")
for case in (whole, stream, tools, refused, broken, panel, responses, leave):
    try:
        told: dict[str, Any] = {"case": case.__name__, "left": case()}
    except Exception as error:  # noqa: BLE001 - it is what is reported
        told = {"case": case.__name__, "error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
