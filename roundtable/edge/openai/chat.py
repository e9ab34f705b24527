"""`/v1/chat/completions`."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from protocol.errors import Invalid
from protocol.views.openai import ChatCompletion, Completion, Writer
from protocol.views.openai_chunks import Chunks, Head
from roundtable.edge.limits import body
from roundtable.edge.openai import described, errors
from roundtable.edge.openai import request as asking
from roundtable.edge.openai.answering import Answering
from roundtable.edge.openai.request import ChatRequest
from roundtable.edge.operations import Answer, operation

_EXAMPLE = {"model": "scripted:ada", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 2}


class Chat:
    """The handler."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    @operation(
        tag="openai",
        body=ChatRequest,
        answers={200: Answer({"application/json": ChatCompletion, "text/event-stream": described.CHUNKS})},
        errors=(404, 500, 502, 504),
        failure=errors.ErrorBody,
        examples={"a seat": _EXAMPLE},
    )
    async def create(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`: the answer, or with `stream` its chunks as server-sent events."""
        asked = asking.decode(await body(request))
        try:
            return await self._answering.answer(request, asked, lambda id, ours: _writer(asked, id, ours))
        except Invalid as error:
            raise Invalid(
                error.detail, field=asking.parameter(asked, error.field), code=error.code
            ) from error


def _writer(asked: ChatRequest, id: str, ours: Mapping[str, Any]) -> Writer:
    id, created = f"chatcmpl-{id}", int(time.time())
    if not asked.stream:
        return Completion(id, created, asked.model, ours)
    head = Head(id=id, created=created, model=asked.model, roundtable=dict(ours) or msgspec.UNSET)
    return Chunks(head, usage=asking.counts(asked), error=errors.body)
