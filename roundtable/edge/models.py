"""What can be asked for here: providers, models, policies, limits, and what an answer without choices would get."""

from aiohttp import web

from roundtable.edge import keys
from roundtable.edge.tables import json
from roundtable.policies import REPLY, available
from roundtable.table import budget


async def providers(request: web.Request) -> web.Response:
    """`GET /v1/providers`: for people. `demo` says that nobody but the scripted panel can speak here."""
    catalog = request.app[keys.CATALOG]
    survey = await catalog.survey()
    panel = catalog.default_panel(survey, _language(request))
    return json(
        {
            "providers": survey,
            "default_panel": panel,
            "demo": all(panelist.model.startswith("scripted:") for panelist in panel),
            "policies": _policies(),
            "limits": budget.DEFAULT,
        }
    )


async def policies(request: web.Request) -> web.Response:
    """`GET /v1/policies`: the ways to share the floor, the default first."""
    return json({"policies": _policies()})


async def models(request: web.Request) -> web.Response:
    """`GET /v1/models`: who can speak now, as in OpenAI's list. Never empty: there is the demo."""
    catalog = request.app[keys.CATALOG]
    survey = await catalog.survey()
    names = [f"{status.name}:{model}" for status in survey if status.usable for model in status.models]
    names += [panelist.model for panelist in catalog.default_panel(survey)]
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": name.partition(":")[0]}
        for name in dict.fromkeys(names)
    ]
    return json({"object": "list", "data": data})


def _policies() -> list[dict[str, str]]:
    return [
        {"name": policy.name, "title": policy.title, "summary": policy.summary}
        for policy in available().values()
        if policy.name != REPLY  # a thread's, and nothing to convene a table with
    ]


def _language(request: web.Request) -> str:
    """The language the caller reads best, as its first subtag: `de`; only the order is looked at."""
    return (
        request.headers.get("Accept-Language", "en").split(",")[0].split(";")[0].split("-")[0].strip().lower()
    )
