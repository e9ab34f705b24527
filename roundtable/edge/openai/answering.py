"""How a request of any form is answered: its model is a seat, asked once and off the record, or a panel, which holds a
table."""

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from protocol.views.discussion import Discussion
from protocol.views.openai import Writer
from roundtable.edge.invoking.callers import Callers
from roundtable.edge.limits import Limits, address
from roundtable.edge.openai import panels as convening
from roundtable.edge.openai import request as asking
from roundtable.edge.openai import seat, table
from roundtable.edge.openai.giving import give, whole
from roundtable.edge.openai.panels import Panels
from roundtable.edge.openai.request import ChatRequest


class Form(Protocol):
    """Makes the writer of the answer `id`, to which `ours` is added."""

    def __call__(self, id: str, ours: Mapping[str, Any]) -> Writer: ...


class Answering:
    """`callers` watches for those who leave."""

    def __init__(self, callers: Callers, limits: Limits, panels: Panels) -> None:
        self._callers, self._limits, self._panels = callers, limits, panels

    async def answer(self, request: web.Request, asked: ChatRequest, form: Form) -> web.StreamResponse:
        """Raises `UnknownModel`, `Invalid` naming the parameter, and what `give` and `whole` raise."""
        answer = self._panel if asked.model.startswith(convening.PREFIX) else self._seat
        return await answer(request, asked, form)

    async def _seat(self, request: web.Request, asked: ChatRequest, form: Form) -> web.StreamResponse:
        async with seat.asked(request, self._callers, asked.model, asking.seat(asked)) as answer:
            writer = form(answer.id, {})
            if asked.stream:
                return await give(request, answer.reading, writer, writer, answer.taken)
            return await whole(request, answer.reading, writer, writer, answer.taken)

    async def _panel(self, request: web.Request, asked: ChatRequest, form: Form) -> web.StreamResponse:
        panel = self._panels.find(asked.model)
        convene = convening.convene(panel, asked)
        self._limits.table(address(request))
        detach = asked.roundtable.detach
        async with table.held(request, self._callers, convene, detach=detach) as (id, reading):
            writer = form(id, {"table": id, "url": f"/t/{id}"})
            told = table.Told(Discussion(verdict=convening.wants_verdict(panel, asked)), writer)
            if asked.stream:
                return await give(request, reading, told, writer)
            return await whole(request, reading, told, writer)
