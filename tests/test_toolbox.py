"""Addresses, and what other packages may do to the toolbox: nothing."""

import re
from collections.abc import AsyncGenerator
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from protocol.errors import Invalid, NotFound, RoundtableError
from roundtable.tools import toolbox as module
from roundtable.tools.base import Context, Final, Told
from roundtable.tools.toolbox import GROUP, MAX_DEPTH, MAX_NESTED, Toolbox
from tests.tools import ALONE, heard


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: str = ""
    table: str = ""
    within: bool = False


class Echo:
    """Answers with its arguments, or runs itself within itself."""

    title, summary, args = "Echo", "Says what it was given.", Args

    def __init__(self, name: str = "echo") -> None:
        self.name = name

    async def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        if args.within:
            async for told in context.run("tool/echo", {"within": True}):
                yield told
        yield Final([self.name, args.model, args.table, context.depth], "done")


class Bad(Echo):
    """Breaks before it begins."""

    def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        raise KeyError("sk-secret")


@pytest.mark.parametrize(
    ("address", "final"),
    [
        ("tool/echo", ["echo", "", "", 0]),
        ("panelist/openai:gpt/5", ["complete", "openai:gpt/5", "", 0]),
        ("roundtable/abc", ["table", "", "abc", 0]),
    ],
)
async def test_an_address_is_a_tool_with_its_arguments(address: str, final: list[Any]) -> None:
    tools = Toolbox([Echo(), Echo("complete"), Echo("table")])
    assert await heard(tools.run(address, {}, ALONE)) == [Final(final, "done")]


@pytest.mark.parametrize("address", ["", "echo", "tool/", "tool/eco", "panelist/", "tool/echo/x", "x/echo"])
def test_an_address_where_nothing_is_says_what_there_is(address: str) -> None:
    with pytest.raises(NotFound, match="echo"):
        Toolbox([Echo()]).run(address, {}, ALONE)


@pytest.mark.parametrize(
    ("given", "hint"), [("modle", "did you mean model?"), ("x", "there is model, table")]
)
def test_an_argument_there_is_not_names_the_nearest(given: str, hint: str) -> None:
    with pytest.raises(Invalid, match=f"echo has no argument '{given}'; {re.escape(hint)}") as refused:
        Toolbox([Echo()]).run("tool/echo", {given: "a"}, ALONE)
    assert refused.value.field == f"args.{given}"


async def test_tools_within_tools_end_somewhere() -> None:
    with pytest.raises(Invalid, match=f"at most {MAX_DEPTH} deep"):
        await heard(Toolbox([Echo()]).run("tool/echo", {"within": True}, ALONE))


def test_a_tool_that_breaks_as_it_is_called_is_an_error_without_its_secret() -> None:
    with pytest.raises(RoundtableError, match="broke: KeyError") as failed:
        Toolbox([Bad()]).run("tool/echo", {}, ALONE)
    assert "sk-secret" not in failed.value.detail


def _leave() -> None:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: Echo("other"), "its name is not its entry point's."),
        (lambda: SimpleNamespace(name="guest"), "it has no title and summary."),
        (lambda: SimpleNamespace(name="guest", title="", summary=""), "it has no `run`."),
        (lambda: SimpleNamespace(name="guest", title="", summary="", run=print, args=dict), "its `args` is no Struct."),
        (_leave, "it does not load: SystemExit."),
        (None, "it does not load: ModuleNotFoundError."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_package_is_kept_and_costs_nobody_else(
    monkeypatch: pytest.MonkeyPatch, made: Any, why: str
) -> None:
    class Point(EntryPoint):
        def load(self) -> Any:
            return made or super().load()

    found = EntryPoints([Point("guest", "nowhere:Tool", GROUP), EntryPoint("echo", "nowhere:Tool", GROUP)])
    monkeypatch.setattr(module, "entry_points", lambda group: found)
    tools = Toolbox([Echo()])
    assert not tools.broken, "nobody is imported before he is asked for"
    with pytest.raises(NotFound) as refused:
        tools.run("tool/guest", {}, ALONE)
    assert refused.value.detail == f"The installed tool 'guest' cannot be used: {why}"
    assert list(tools.tools) == ["echo"], "ours is not to be replaced"
    assert tools.broken == {"guest": why}


@pytest.mark.parametrize("nested", [{"a": 1}, [1], (1,), Args(model="x")])
def test_arguments_are_nested_as_deep_as_every_reader_can_follow(nested: Any) -> None:
    tools = Toolbox([Echo()])
    for _ in range(MAX_NESTED):
        nested = {"a": [nested]}
    with pytest.raises(Invalid) as caught:
        tools.prepare("tool/echo", {"model": nested})
    assert caught.value.field == "args.model"
    assert "deep" in caught.value.detail
