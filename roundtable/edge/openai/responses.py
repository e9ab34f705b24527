"""`/v1/responses`: the same answers as chat completions, as items and typed events. Nothing is stored."""

import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from protocol.errors import Invalid
from protocol.views.openai import Writer
from protocol.views.openai_events import Events
from roundtable.edge.limits import body
from roundtable.edge.openai import described
from roundtable.edge.openai import request as chat
from roundtable.edge.openai import responses_request as asking
from roundtable.edge.openai.answering import Answering
from roundtable.edge.openai.errors import ErrorBody
from roundtable.edge.openai.responses_request import ResponsesRequest
from roundtable.edge.operations import Answer, operation

_EXAMPLE = {"model": "scripted:ada", "input": "Why?", "max_output_tokens": 2}


class Responses:
    """The handler."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    @operation(
        tag="openai",
        body=ResponsesRequest,
        answers={
            200: Answer({"application/json": described.ResponseObject, "text/event-stream": described.EVENTS})
        },
        errors=(404, 500, 502, 504),
        failure=ErrorBody,
        examples={"a seat": _EXAMPLE},
    )
    async def create(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/responses`: the response, or with `stream` its events."""
        asked = asking.decode(await body(request))

        def form(id: str, ours: Mapping[str, Any]) -> Writer:
            events = Events(id, int(time.time()), asked.model, asking.echo(asked))
            if ours:
                events.about(ours)
            return events

        as_chat = asking.chat(asked)
        try:
            return await self._answering.answer(request, as_chat, form)
        except Invalid as error:
            name = asking.parameter(chat.parameter(as_chat, error.field))
            raise Invalid(error.detail, field=name, code=error.code) from error
