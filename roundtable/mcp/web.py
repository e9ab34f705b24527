"""A server of tools at a URL: the SDK's own transport, over an HTTP client that reads no more than is taken."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from roundtable.mcp.process import MOST_MESSAGE

# Seconds. The longest silence is longer than a call may take, whose own deadline ends it.
_TIMEOUT = httpx2.Timeout(10.0, read=60.0)


@asynccontextmanager
async def web(url: str, headers: Mapping[str, str]) -> AsyncGenerator[Any]:
    """The SDK's streams. `headers` go to this server alone; proxies and passwords of the environment are not used."""
    about = {**headers, "Accept-Encoding": "identity"}
    async with (
        httpx2.AsyncClient(headers=about, timeout=_TIMEOUT, transport=_Bounded(), trust_env=False) as client,
        streamable_http_client(url, http_client=client) as streams,
    ):
        yield streams


class _Bounded(httpx2.AsyncHTTPTransport):
    """Answers of `MOST_MESSAGE` bytes at the most, and only to what was asked: nobody listens in between (a GET)."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(405, request=request)
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.DecodingError("The answer is compressed, which was not asked for.", request=request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Counted(response.stream)
        return response


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_MESSAGE
        async for data in self._stream:
            left -= len(data)
            if left < 0:
                raise httpx2.ReadError("The answer has no end.")
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()
