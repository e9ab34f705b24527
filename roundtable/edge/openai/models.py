"""`/v1/models`: who can be asked, as OpenAI lists models. Never empty: there is the demo."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web

from protocol.errors import Invalid
from roundtable.edge import keys
from roundtable.edge.answers import json
from roundtable.edge.openai.errors import ErrorBody, UnknownModel
from roundtable.edge.openai.panels import PREFIX, Panels
from roundtable.edge.operations import operation


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model. When it was made we do not know: `created` is 0."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str


class ByModel(msgspec.Struct, frozen=True):
    """A model's address has its name as it is, colons and slashes too."""

    model: Annotated[str, msgspec.Meta(description="`provider:model`, or `roundtable/PANEL`.")]


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


class Models:
    """The handlers: seats by `provider:model`, and panels."""

    def __init__(self, panels: Panels) -> None:
        self._panels = panels

    @operation(
        tag="openai",
        answers={200: ModelList},
        failure=ErrorBody,
        leads={"/v1/models/{model}": "$response.body#/data/0/id"},
    )
    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/models`: those who can speak now, and the panels."""
        catalog = request.app[keys.CATALOG]
        survey = await catalog.survey()
        names = [f"{status.name}:{model}" for status in survey if status.usable for model in status.models]
        names += [panelist.model for panelist in catalog.default_panel(survey)]
        return json(ModelList(data=[_model(name) for name in dict.fromkeys([*names, *self._panels.names()])]))

    @operation(tag="openai", path=ByModel, answers={200: Model}, failure=ErrorBody)
    async def read(self, request: web.Request) -> web.Response:
        """`GET /v1/models/{model}`: one that can be asked, whether or not it is listed. Raises `UnknownModel`."""
        name = request.match_info["model"]
        if name.startswith(PREFIX):
            self._panels.find(name)
            return json(_model(name))
        try:
            request.app[keys.CATALOG].resolve(name)
        except Invalid as error:
            raise UnknownModel(error.detail) from error
        return json(_model(name))


def _model(name: str) -> Model:
    owner = "roundtable" if name.startswith(PREFIX) else name.partition(":")[0]
    return Model(id=name, owned_by=owner)
