"""What can be asked for here: providers, policies, limits, and what an answer without choices would get."""

from aiohttp import web

from roundtable.edge import keys
from roundtable.edge.tables import json
from roundtable.policies import available
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


def _policies() -> list[dict[str, str]]:
    return [
        {"name": policy.name, "title": policy.title, "summary": policy.summary}
        for policy in available().values()
    ]


def _language(request: web.Request) -> str:
    """The language the caller reads best, as its first subtag: `de`; only the order is looked at."""
    return (
        request.headers.get("Accept-Language", "en").split(",")[0].split(";")[0].split("-")[0].strip().lower()
    )
