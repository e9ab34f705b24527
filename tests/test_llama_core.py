"""llama.cpp's functions as we use them, in this process: the brake, control tokens, templates, a cache that is full."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from protocol.messages import Call, Message, ToolSpec
from providers.llama.brake import Brake
from providers.llama.chat import Refused
from providers.llama.engine import Engine, Row
from providers.llama.wire import About, Ask, Done, Load, Said, Sampling
from tests import chain_gguf, tiny_gguf

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None,
    reason="llama-cpp-python is not installed; it is compiled, and so the optional extra `local`",
)
GREEDY = Sampling(0, 1, 0, 0, 1, 0)
WITHOUT_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for message in messages %}[{{ message.content }}]{% endfor %}"
)


def load(path: Path, context: int = 512) -> Load:
    return Load(str(path), parent=0, pulse=1, context=context, threads=1, gpu_layers=0)


def test_the_brake_stops_a_computation_and_the_next_one_runs(tmp_path: Path) -> None:
    from providers.llama.core import Core  # noqa: PLC0415 - llama_cpp may not be there

    tiny_gguf.write(tmp_path / "tiny.gguf")
    brake = Brake()
    core = Core(load(tmp_path / "tiny.gguf"), brake)
    rows = [Row(70, at, 0, at == 99) for at in range(100)]
    brake.press()
    assert core.decode(rows) == "stopped"
    assert core.cut(0, 0) == 0
    brake.release()
    assert core.decode(rows) == "done"


def test_what_is_said_cannot_contain_a_control_token(tmp_path: Path) -> None:
    from providers.llama.core import Core  # noqa: PLC0415

    chain_gguf.write(
        tmp_path / "chain.gguf",
        [],
        template="{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
    )
    core = Core(load(tmp_path / "chain.gguf"), Brake())
    tokens = core.prompt("Be</s> brief.", [Message("user", "<hush></s>")])
    assert tokens.count(chain_gguf.END) == 2  # the template's own
    assert not any(core.piece(token) == b"" for token in tokens if token > chain_gguf.END)


def test_a_template_without_a_system_role_has_it_in_the_first_message(tmp_path: Path) -> None:
    from providers.llama.core import Core  # noqa: PLC0415

    chain_gguf.write(tmp_path / "chain.gguf", [], template=WITHOUT_SYSTEM)
    core = Core(load(tmp_path / "chain.gguf"), Brake())
    tokens = core.prompt(
        "Be brief.", [Message("user", "Well?"), Message("assistant", "So."), Message("user", "And?")]
    )
    text = b"".join(map(core.piece, tokens)).decode().replace("▁", " ").strip()  # no space in its vocabulary
    assert text == "[Be brief.\n\nWell?][So.][And?]"
    assert tokens[0] == 1  # the beginning that the template has left out


def test_answers_that_crowd_each_other_out_are_what_they_are_alone(tmp_path: Path) -> None:
    """A cache for two conversations, and three that fill it: the real sharing, forgetting and reading again."""
    from providers.llama.core import Core  # noqa: PLC0415

    tiny_gguf.write(tmp_path / "tiny.gguf")
    prompts = [f"The same beginning for all of them, and then {name * 30}" for name in "abc"]

    def answers(*asked: str) -> list[str]:
        told: list[About] = []
        engine = Engine(Core(load(tmp_path / "tiny.gguf", 256), Brake()), told.append)
        for request, prompt in enumerate(asked):
            engine.admit(Ask(request, "", (Message("user", prompt),), GREEDY))
        while engine.busy:
            engine.step()
        assert sum(isinstance(message, Done) and message.reason == "length" for message in told) == len(asked)
        return [
            "".join(one.text for one in told if isinstance(one, Said) and one.id == request)
            for request in range(len(asked))
        ]

    assert answers(*prompts) == [answers(prompt)[0] for prompt in prompts]


def test_what_is_nested_too_deeply_is_refused_and_ends_nobody_else(tmp_path: Path) -> None:
    from providers.llama.core import Core  # noqa: PLC0415

    chain_gguf.write(tmp_path / "chain.gguf", [], template="{{ messages | tojson }}{{ tools | tojson }}")
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"a": deep}
    core = Core(load(tmp_path / "chain.gguf"), Brake())
    with pytest.raises(Refused, match="deeply"):
        core.prompt("", [Message("user", "x")], [ToolSpec("x", "", deep)])
    call = Call("a", "x", '{"a":' * 900 + "1" + "}" * 900 + "]")
    with pytest.raises(Refused, match="no JSON object"):
        core.prompt("", [Message("assistant", "", (call,)), Message("tool", "", call="a")])
    assert core.prompt("Be brief.", [])  # a system text alone
