"""`/v1/chat/completions`: a model is a seat, asked once and not recorded, or a panel that holds a table."""

import time

from aiohttp import web

from protocol.errors import Invalid
from protocol.views import openai
from protocol.views.openai_chunks import Chunks, Head
from roundtable.edge.callers import Callers
from roundtable.edge.limits import body
from roundtable.edge.openai import request as asking
from roundtable.edge.openai import seat
from roundtable.edge.openai.errors import raised
from roundtable.edge.openai.giving import give, whole
from roundtable.edge.openai.request import ChatRequest
from roundtable.edge.operations import operation


class Chat:
    """The handler; `callers` watches for those who leave."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    @operation(tag="openai", body=ChatRequest, answers={200: openai.ChatCompletion})
    async def create(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`: the answer, or with `stream` its chunks as server-sent events."""
        asked = asking.decode(await body(request))
        try:
            return await self._seat(request, asked)
        except Invalid as error:
            raise Invalid(
                error.detail, field=asking.parameter(asked, error.field), code=error.code
            ) from error

    async def _seat(self, request: web.Request, asked: ChatRequest) -> web.StreamResponse:
        created = int(time.time())
        async with seat.asked(request, self._callers, asked.model, asking.seat(asked)) as answer:
            id = f"chatcmpl-{answer.id}"
            if asked.stream:
                usage = bool(asked.stream_options and asked.stream_options.include_usage)
                chunks = Chunks(Head(id=id, created=created, model=asked.model), usage=usage)
                return await give(request, answer.reading, chunks, answer.taken)
            said = openai.Said()
            await whole(answer.reading, said.told, answer.taken)
        if said.failed:
            raise raised(said.failed)
        whole_answer = openai.completion(id, created, asked.model, said)
        return web.Response(body=whole_answer, content_type="application/json")
