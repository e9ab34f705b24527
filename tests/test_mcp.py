"""Servers of tools as they are met: real ones by the official SDK, and rude ones by hand."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Invalid
from protocol.messages import Panelist, ToolSpec
from roundtable.cli import checks
from roundtable.config import Config, McpServer, load
from roundtable.mcp import process, results, server
from roundtable.mcp import servers as servers_
from roundtable.mcp.secrets import Secrets, environment
from roundtable.mcp.servers import Servers
from roundtable.table.using import MOST_RESULT, Tool
from tests.serving import TABLES, Connect, problem, serve

HERE = Path(__file__).parent
TOKEN = "tok-a-key-that-nobody-may-see-0123456789"


@asynccontextmanager
async def servers(environ: dict[str, str] | None = None, **configured: McpServer) -> AsyncIterator[Servers]:
    found = Servers(configured, {"PATH": os.environ["PATH"], **(environ or {})})
    await found.prepare()
    try:
        yield found
    finally:
        await found.close()


def rude(way: str = "") -> McpServer:
    return McpServer(command=(sys.executable, "-S", "-E", str(HERE / "rude_mcp_server.py"), way))


def real(**settings: Any) -> McpServer:
    return McpServer(command=(sys.executable, "-m", "tests.mcp_server"), cwd=HERE.parent, **settings)


@asynccontextmanager
async def over_http() -> AsyncIterator[str]:
    """The real server on a port of its own; its URL."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.mcp_server", "--http", cwd=HERE.parent, stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    try:
        yield (await running.stdout.readline()).decode().strip()
    finally:
        running.terminate()
        await running.wait()


async def until(reached: Any) -> None:
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether it runs; what was killed and not yet buried does not."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


# -- real ones ---------------------------------------------------------------------------------------------------


async def test_a_real_server_over_stdio(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with servers({"TOKEN": TOKEN, "OURS": "a-key-of-ours"}, real=real(env_from=("TOKEN",))) as found:
        assert (await found.call("real.add", {"a": 1, "b": 2})).text == "3"
        wrong = await found.call("real.add", {"a": None, "b": 2})
        assert wrong.error
        assert (await found.call("real.tell", {"name": "OURS"})).text == "OURS is nothing."
        told = await found.call("real.tell", {"name": "TOKEN"})
        assert told.text == "TOKEN is [key]."
        assert "3 bytes" in (await found.call("real.picture", {})).text
        mark = tmp_path / "mark"
        waiting = asyncio.create_task(found.call("real.wait", {"mark": str(mark)}))
        await until(mark.with_suffix(".began").exists)
        waiting.cancel()
        await until(mark.with_suffix(".cancelled").exists)
        started = int((await found.call("real.start", {})).text)
        assert alive(started)
    await until(lambda: not alive(started))
    assert TOKEN not in caplog.text


async def test_a_real_server_over_http(tmp_path: Path) -> None:
    async with over_http() as url, servers(real=McpServer(url=url)) as found:
        assert (await found.call("real.add", {"a": 1, "b": 2})).text == "3"
        mark = tmp_path / "mark"
        waiting = asyncio.create_task(found.call("real.wait", {"mark": str(mark)}))
        await until(mark.with_suffix(".began").exists)
        waiting.cancel()
        await until(mark.with_suffix(".cancelled").exists)
        assert {each.name for each in await found.offered(["real.*"])} >= {"real.add", "real.wait"}


async def test_answers_over_http_have_an_end_and_nobody_listens_between_them() -> None:
    asked = list[str]()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.method)
        told = await request.json()
        if told["method"] == "initialize":
            about = {"protocolVersion": told["params"]["protocolVersion"], "capabilities": {"tools": {}}}
            result = {**about, "serverInfo": {"name": "rude", "version": "1"}}
            body = {"jsonrpc": "2.0", "id": told["id"], "result": result}
            return web.json_response(body, headers={"mcp-session-id": "s"})
        if told["method"] != "tools/call":
            return web.Response(status=202 if "id" not in told else 404)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if told["params"]["name"] == "zip":
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" " * 65_536)
        return response

    app = web.Application()
    app.router.add_route("*", "/mcp", answer)
    async with TestServer(app) as at, servers(rude=McpServer(url=str(at.make_url("/mcp")))) as found:
        for tool in ("shout", "zip"):
            said = await found.call(f"rude.{tool}", {})
            assert said.error
            assert "cannot be used now" in said.text
            one = found._servers["rude"]
            assert one._holder is not None
            await asyncio.wait([one._holder])
            one._not_before = 0.0
    assert set(asked) <= {"POST", "DELETE"}


# -- rude ones ---------------------------------------------------------------------------------------------------


async def test_whatever_a_server_does_a_call_has_a_result_and_the_next_one_works() -> None:
    async with servers(rude=rude()) as found:
        huge = await found.call("rude.shout", {"bytes": 3 * MOST_RESULT})
        assert huge.truncated
        assert len(huge.text) <= MOST_RESULT + 1
        assert "no result" in (await found.call("rude.nonsense", {})).text
        assert (await found.call("rude.echo", {"text": "still here"})).text == "still here"
        deep: dict[str, object] = {"text": "x"}
        for _ in range(results.DEEPEST):
            deep = {"deeper": deep}
        assert "nested" in (await found.call("rude.echo", deep)).text


@pytest.mark.parametrize(("tool", "said"), [("die", "ended"), ("shout", "ended"), ("endless", "ended")])
async def test_a_server_that_dies_or_has_no_end_is_started_again_after_a_pause(tool: str, said: str) -> None:
    now = [0.0]
    one = server.Server("rude", rude(), {"PATH": os.environ["PATH"]}, clock=lambda: now[0])
    try:
        assert "echo" in await one.tools()
        with pytest.raises(server.Away, match=said):
            await one.call(tool, {"bytes": process.MOST_MESSAGE})
        assert one._holder is not None
        await asyncio.wait([one._holder])
        with pytest.raises(server.Away, match="started again in 1 s"):
            await one.call("echo", {"text": "there?"})
        now[0] += server.BACK_OFF
        assert (await one.call("echo", {"text": "there?"})).text == "there?"
    finally:
        await one.close()


async def test_one_that_does_not_start_again_is_left_alone_for_longer_and_longer(tmp_path: Path) -> None:
    now = [0.0]
    one = server.Server("rude", rude(f"once:{tmp_path / 'mark'}"), {}, clock=lambda: now[0])
    waits = list[float]()
    try:
        with pytest.raises(server.Away):
            await one.call("die", {})
        for _ in range(8):
            assert one._holder is not None
            await asyncio.wait([one._holder])
            waits.append(one._not_before - now[0])
            now[0] = one._not_before
            with pytest.raises(server.Away):
                await one.tools()
    finally:
        await one.close()
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_one_that_talks_without_end_is_read_at_our_pace() -> None:
    now = [0.0]
    pace = process.Pace(lambda: now[0])
    for _ in range(10 * process.PACE):
        now[0] += pace.wait()
    assert now[0] == pytest.approx(9.0, abs=0.01), "the first second's are let through at once"


async def test_what_is_no_answer_is_passed_over() -> None:
    async with servers(rude=rude()) as found:
        assert (await found.call("rude.chatter", {})).text == "At last."


async def test_one_that_never_says_hello_costs_its_user_no_more_than_he_will_wait() -> None:
    async with servers(silent=rude("silent"), rude=rude()) as found:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await found.offered(["silent.*"])
        assert (await found.call("rude.echo", {"text": "I am here"})).text == "I am here"


async def test_tools_that_no_model_could_be_told_of_are_left_out() -> None:
    async with servers(lies=rude("lies"), paging=rude("paging")) as found:
        assert [each.name for each in await found.offered(["lies.*"])] == ["lies.fine"]
        assert "paging.echo" in [each.name for each in await found.offered(["paging.*"])]


@pytest.mark.parametrize("way", ["deepest", "array"])
async def test_an_answer_that_nobody_can_read_is_none(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LIST_WITHIN", 0.2)
    async with servers(rude=rude(way)) as found:
        assert not await found.offered(["rude.*"])
        assert "cannot be used now" in (await found.listing())[0].detail


async def test_a_cancelled_call_is_told_to_the_server(tmp_path: Path) -> None:
    told = tmp_path / "told"
    async with servers(rude=rude(f"tells:{told}")) as found:
        await found.call("rude.echo", {})
        waiting = asyncio.create_task(found.call("rude.hang", {}))
        await until(told.with_suffix(".asked").exists)
        waiting.cancel()
        await until(told.exists)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (McpServer(command=("/no/such/program",)), "cannot be started"),
        (McpServer(command=(sys.executable, "-c", "exit(3)")), "cannot be used"),
        (McpServer(url="http://127.0.0.1:1/mcp?key=" + TOKEN), "cannot be reached"),
        (McpServer(command=("true",), env_from=("UNSET",)), "UNSET, which is not set"),
    ],
)
async def test_one_that_cannot_be_had_is_named_with_the_reason_and_no_secret(
    settings: McpServer, why: str
) -> None:
    async with servers(away=settings) as found:
        assert await found.offered(["away.*"]) == () or not await found.offered(["away.*"])
        status = (await found.listing())[0]
        assert not status.usable
        again = await found.call("away.any", {})
        assert again.error
        assert TOKEN not in status.detail + again.text


# -- who may use what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "detail"),
    [
        ("rude", "allows no tool"),
        ("*", "allows no tool"),
        ("*.echo", "allows no tool"),
        ("rud.echo", "did you mean 'rude'"),
        ("rude.ecko", "did you mean 'echo'"),
        ("rude.echo\n", "allows no tool"),
    ],
)
async def test_what_nobody_has_is_refused_by_its_place(allowed: str, detail: str) -> None:
    async with servers(rude=rude()) as found:
        with pytest.raises(Invalid, match=detail) as refused:
            await found.check(
                [
                    Panelist("Ada", "scripted:ada"),
                    Panelist("Ben", "scripted:ben", tools=["rude.hang", allowed]),
                ]
            )
        assert refused.value.field == "panel[1].tools[1]"


async def test_nothing_is_allowed_by_itself_and_a_server_that_is_away_is_believed() -> None:
    async with servers(rude=rude(), away=McpServer(command=("/no/such",))) as found:
        assert not await found.offered([])
        assert [each.name for each in await found.offered(["rude.e*", "rude.hang", "other.*"])] == [
            "rude.echo", "rude.hang", "rude.endless",
        ]  # fmt: skip
        await found.check([Panelist("Ada", "scripted:ada", tools=["away.any", "rude.e*"])])


def test_a_prompt_holds_so_many_tools() -> None:
    tools = [Tool(f"t.{n}", ToolSpec(f"t__{n}", "x" * 1_000)) for n in range(100)]
    fitting = servers_.fitting(tools)
    assert 0 < len(fitting) < servers_.MOST_OFFERED
    assert fitting == tools[: len(fitting)]


# -- settings and secrets ----------------------------------------------------------------------------------------


def test_settings_are_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[mcp.files]\ncommand = ["files", "--root", "/"]\ncwd = "here"\nenv_from = ["TOKEN"]\n')
    found = load(file, {}, {}).mcp["files"]
    assert found.cwd == tmp_path / "here"
    for wrong, field in [
        ('[mcp.files]\ncomand = ["x"]\n', "mcp.files.comand"),
        ("[mcp.files]\n", "mcp.files"),
        ('[mcp.files]\ncommand = ["x"]\nurl = "http://x/"\n', "mcp.files"),
        ('[mcp.files]\nurl = "https://me:secret@x/"\n', "mcp.files.url"),
        ('[mcp."fi.les"]\ncommand = ["x"]\n', "mcp.fi.les"),
    ]:
        file.write_text(wrong)
        with pytest.raises(Invalid) as refused:
            load(file, {}, {})
        assert refused.value.field == field
        assert "secret@" not in refused.value.detail


def test_a_command_inherits_no_key() -> None:
    ours = {"PATH": "/bin", "ANTHROPIC_API_KEY": "sk", "TOKEN": "t"}
    assert environment(McpServer(command=("x",), env={"LEVEL": "1"}, env_from=("TOKEN",)), ours) == {
        "PATH": "/bin", "TOKEN": "t", "LEVEL": "1",
    }  # fmt: skip


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, len(TOKEN) - 8))
def test_no_text_shows_eight_characters_of_a_secret(before: str, after: str, start: int) -> None:
    hidden = Secrets(McpServer(command=("x",), env={"API_KEY": TOKEN}), {})
    part = TOKEN[start : start + 8]
    assert part not in hidden.scrub(f"{before}{TOKEN[start:]}{after}")
    assert TOKEN not in hidden.scrub(before + TOKEN + after)


# -- told to people ----------------------------------------------------------------------------------------------


async def test_servers_are_listed_and_a_table_is_refused_what_they_have_not(
    tmp_path: Path, aiohttp_client: Connect
) -> None:
    configured = {"rude": rude(), "away": McpServer(command=("/no/such/program",))}
    client = await serve(aiohttp_client, data=tmp_path, mcp=configured)
    found = {each["name"]: each for each in (await (await client.get("/v1/tools/servers")).json())["servers"]}
    assert found["rude"]["usable"]
    assert "rude.echo" in found["rude"]["tools"]
    assert not found["away"]["usable"]
    panel = [{"name": "Ada", "model": "scripted:ada", "tools": ["rude.ecko"]}]
    response = await client.post(TABLES, json={"topic": "Why?", "panel": panel})
    assert await problem(response) == (400, "invalid", "panel[0].tools[0]")


async def test_doctor_says_which_answer() -> None:
    config = Config(mcp={"rude": rude(), "away": McpServer(command=("/no/such/program",))})
    found = await checks.tool_servers(config)
    assert [(each.what, each.state) for each in found] == [("tools", "ok"), ("tools", "warning")]
    assert "rude.echo" in found[0].detail
