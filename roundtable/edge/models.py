"""What can be asked for here: providers, policies, tools, limits, and the panel of who names none."""

from typing import Annotated, Any

import msgspec
from aiohttp import web

from protocol.messages import Limits, Panelist, Until
from providers.survey import ProviderStatus
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.operations import operation
from roundtable.mcp.servers import ServerStatus
from roundtable.policies import REPLY, available, concludes, least, until
from roundtable.table import budget
from roundtable.tools.toolbox import TOOL


class Policy(msgspec.Struct, frozen=True):
    """A way to share the floor. Unless asked otherwise its tables come to a `verdict` and its discussions end `until`
    that; it takes `least` panelists."""

    name: str
    title: str
    summary: str
    verdict: bool
    until: Until
    least: int


class Policies(msgspec.Struct, frozen=True):
    """The default first."""

    policies: list[Policy]


class Providers(Policies, frozen=True):
    """What can be asked for here. `demo`: nobody but the scripted panel can speak."""

    providers: list[ProviderStatus]
    default_panel: list[Panelist]
    demo: bool
    limits: Limits


class Language(msgspec.Struct, frozen=True, rename={"accept_language": "Accept-Language"}):
    """In which language the default panel speaks, where it is scripted."""

    accept_language: Annotated[str, msgspec.Meta(examples=["de, en;q=0.5"])] = ""


@operation(tag="models", headers=Language, answers={200: Providers})
async def providers(request: web.Request) -> web.Response:
    """`GET /v1/providers`: who can speak here and why not, for people."""
    catalog = request.app[keys.CATALOG]
    survey = await catalog.survey()
    panel = catalog.default_panel(survey, _language(request))
    demo = all(panelist.model.startswith("scripted:") for panelist in panel)
    return json(Providers(_policies(), survey, panel, demo, budget.DEFAULT))


@operation(tag="models", answers={200: Policies})
async def policies(request: web.Request) -> web.Response:
    """`GET /v1/policies`: the ways to share the floor, the default first."""
    return json(Policies(_policies()))


class ListedTool(msgspec.Struct, frozen=True):
    """A tool for people and programs: `args` is the JSON Schema of its arguments."""

    name: str
    address: str
    title: str
    summary: str
    args: dict[str, Any]


class BrokenTool(msgspec.Struct, frozen=True):
    """An installed tool that cannot be used, and why."""

    name: str
    detail: str


class Tools(msgspec.Struct, frozen=True):
    """Ours come first."""

    tools: list[ListedTool]
    broken: list[BrokenTool]


@operation(tag="invocations", answers={200: Tools})
async def tools(request: web.Request) -> web.Response:
    """`GET /v1/tools`: what can be invoked here, and what is installed and cannot."""
    toolbox = request.app[keys.TOOLBOX]
    listed = [
        ListedTool(name, f"{TOOL}/{name}", tool.title, tool.summary, msgspec.json.schema(tool.args))
        for name, tool in toolbox.tools.items()
    ]
    return json(Tools(listed, [BrokenTool(*each) for each in toolbox.broken.items()]))


class ToolServers(msgspec.Struct, frozen=True):
    """Servers of tools for panelists, each with the names that allow its tools."""

    servers: list[ServerStatus]


@operation(tag="models", answers={200: ToolServers})
async def tool_servers(request: web.Request) -> web.Response:
    """`GET /v1/tools/servers`: what panelists may be allowed to use. Those that are not running are started."""
    return json(ToolServers(await request.app[keys.SERVERS].listing()))


def _policies() -> list[Policy]:
    return [
        Policy(name, policy.title, policy.summary, concludes(name), until(name), least(name))
        for name, policy in available().items()
        if name != REPLY  # a thread's, and nothing to convene a table with
    ]


def _language(request: web.Request) -> str:
    """The language the caller reads best, as its first subtag: `de`; only the order is looked at."""
    return (
        request.headers.get("Accept-Language", "en").split(",")[0].split(";")[0].split("-")[0].strip().lower()
    )
