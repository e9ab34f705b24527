"""What can be asked for here: providers, models, policies, limits, and what an answer without choices would get."""

import msgspec
from aiohttp import web

from protocol.messages import Limits, Panelist
from providers.survey import ProviderStatus
from roundtable.edge import keys
from roundtable.edge.operations import operation
from roundtable.edge.tables import json
from roundtable.policies import available
from roundtable.table import budget


class Policy(msgspec.Struct, frozen=True):
    """A way to share the floor."""

    name: str
    title: str
    summary: str


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

    accept_language: str = ""


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


class Model(msgspec.Struct, frozen=True):
    """A model as OpenAI lists it."""

    id: str
    owned_by: str
    object: str = "model"
    created: int = 0


class Models(msgspec.Struct, frozen=True):
    """OpenAI's list."""

    data: list[Model]
    object: str = "list"


@operation(tag="models", answers={200: Models})
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


def _policies() -> list[Policy]:
    return [Policy(policy.name, policy.title, policy.summary) for policy in available().values()]


def _language(request: web.Request) -> str:
    """The language the caller reads best, as its first subtag: `de`; only the order is looked at."""
    return (
        request.headers.get("Accept-Language", "en").split(",")[0].split(";")[0].split("-")[0].strip().lower()
    )
