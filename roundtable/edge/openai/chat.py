"""`/v1/chat/completions`: a model is a seat, asked once and not recorded, or a panel that holds a table."""

import time

from aiohttp import web

from protocol.errors import Invalid
from protocol.views import openai
from protocol.views.discussion import Discussion
from protocol.views.openai_chunks import Chunks, Head
from roundtable.edge.callers import Callers
from roundtable.edge.limits import Limits, body
from roundtable.edge.openai import panels as convening
from roundtable.edge.openai import request as asking
from roundtable.edge.openai import seat, table
from roundtable.edge.openai.errors import ErrorBody, raised
from roundtable.edge.openai.giving import give, whole
from roundtable.edge.openai.panels import Panels
from roundtable.edge.openai.request import ChatRequest
from roundtable.edge.operations import Answer, operation

_EXAMPLE = {"model": "scripted:ada", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 2}


class Chat:
    """The handler; `callers` watches for those who leave."""

    def __init__(self, callers: Callers, limits: Limits, panels: Panels) -> None:
        self._callers, self._limits, self._panels = callers, limits, panels

    @operation(
        tag="openai",
        body=ChatRequest,
        answers={200: Answer({"application/json": openai.ChatCompletion, "text/event-stream": None})},
        errors=(404, 500, 502, 504),
        failure=ErrorBody,
        examples={"a seat": _EXAMPLE},
    )
    async def create(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`: the answer, or with `stream` its chunks as server-sent events."""
        asked = asking.decode(await body(request))
        answer = self._panel if asked.model.startswith(convening.PREFIX) else self._seat
        try:
            return await answer(request, asked)
        except Invalid as error:
            raise Invalid(
                error.detail, field=asking.parameter(asked, error.field), code=error.code
            ) from error

    async def _seat(self, request: web.Request, asked: ChatRequest) -> web.StreamResponse:
        created = int(time.time())
        async with seat.asked(request, self._callers, asked.model, asking.seat(asked)) as answer:
            id = f"chatcmpl-{answer.id}"
            if asked.stream:
                chunks = Chunks(Head(id=id, created=created, model=asked.model), usage=asking.counts(asked))
                return await give(request, answer.reading, chunks, answer.taken)
            said = openai.Said()
            await whole(answer.reading, said.told, answer.taken)
        if said.failed:
            raise raised(said.failed)
        cost, used = said.final.cost, said.final.usage
        ours = {} if cost is None else {"dollars": cost.dollars}
        return _json(openai.completion(id, created, asked.model, said.choice(), used=used, ours=ours))

    async def _panel(self, request: web.Request, asked: ChatRequest) -> web.StreamResponse:
        created = int(time.time())
        panel = self._panels.find(asked.model)
        convene = convening.convene(panel, asked)
        self._limits.table(request)
        discussion = Discussion(verdict=convening.wants_verdict(panel, asked))
        detach = asked.roundtable.detach
        async with table.held(request, self._callers, convene, detach=detach) as (name, reading):
            id, ours = f"chatcmpl-{name}", {"table": name, "url": f"/t/{name}"}
            if asked.stream:
                head = Head(id=id, created=created, model=asked.model, roundtable=ours)
                told = table.Told(discussion, Chunks(head, usage=asking.counts(asked)))
                return await give(request, reading, told)
            told = table.Told(discussion)
            await whole(reading, told.told)
        if discussion.failed:
            raise raised(discussion.failed)
        spent = ours | {"dollars": discussion.dollars}
        return _json(
            openai.completion(id, created, asked.model, told.choice(), used=discussion.usage, ours=spent)
        )


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})
