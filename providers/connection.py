"""What every dialect's connection has in common: how it is made, and how one streamed answer is read to its end.

The request itself, and what its refusal means, are the dialect's and its SDK's.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any
from urllib.request import getproxies

import httpx2

from protocol.errors import ProviderError
from providers.answer import Answer
from providers.base import Chunk
from providers.failures import Failures
from providers.network import Transport
from providers.presets import Preset

# A server that does not take a connection in this time is down; DNS and TLS are included. Seconds.
CONNECT_WITHIN = 10.0
# After the answer's end the body's last bytes are read so that the connection can be used again; a server may
# never send them. Seconds.
DRAIN_WITHIN = 0.1
# No deadline but for connecting: waiting is the turn's to end.
TIMEOUT = httpx2.Timeout(None, connect=CONNECT_WITHIN)


def settings(preset: Preset) -> dict[str, Any]:
    """How an SDK's HTTP client is constructed for a server.

    A redirect would show the text to somebody else, and so would a proxy between us and ourselves. Where there is
    no TLS, nothing is verified, and reading the certificates costs 15 ms. Through a proxy the client goes its own way.
    """
    verify, trust = preset.base_url.startswith("https:"), not preset.local
    given = {"timeout": TIMEOUT, "follow_redirects": False, "trust_env": trust}
    if trust and getproxies():
        return given | {"verify": verify}
    return given | {"transport": Transport(verify=verify, trust_env=trust)}


async def listen(
    ask: Callable[[], Awaitable[httpx2.Response]], answer: Answer, failures: Failures
) -> AsyncGenerator[Chunk]:
    """Ask, and read the answer: `providers.base.Provider.stream`, but for the asking."""
    response = await ask()
    scrubber, failure = failures.secret.scrubber(), None
    try:
        # Closing what is received closes the response, and with it a connection that is not read to its end.
        async with aclosing(response.aiter_bytes()) as received:
            async for data in received:
                heard = answer.feed(data)
                for chunk in heard if scrubber is None else scrubber.chunks(heard):
                    yield chunk
                if answer.done:
                    await _drain(received)
    except ProviderError as error:
        failure = error
    except (httpx2.HTTPError, httpx2.StreamError, OSError):
        failure = failures.cut()
    for chunk in () if scrubber is None else scrubber.rest():
        yield chunk
    if failure is not None:
        raise failure
    yield answer.end()


async def _drain(received: AsyncIterator[bytes]) -> None:
    """Read to the end of the body, which usually has come already."""
    with suppress(httpx2.HTTPError, OSError, TimeoutError):
        async with asyncio.timeout(DRAIN_WITHIN):
            async for _ in received:
                pass
