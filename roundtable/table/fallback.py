"""Who speaks when a panelist's own model cannot: what each of those models is asked."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from typing import Any

from msgspec.structs import replace

from protocol.errors import Invalid, ProviderError
from protocol.messages import Panelist
from providers import prices
from providers.base import Chunk, Provider, Request
from providers.catalog import Catalog
from roundtable.material import showing
from roundtable.table.asking import deadlines_of
from roundtable.table.budget import Limit
from roundtable.table.turn import Price, Voice


class _NotHad:
    """In the place of a provider that is not to be had here, where another model speaks for hers."""

    name, local, destination = "none", False, "nobody"

    def __init__(self, why: Invalid) -> None:
        self._why = why

    def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        """Raises what is wrong."""
        raise ProviderError(self._why.detail, code=self._why.code)

    async def close(self) -> None:
        """There is nothing to close."""


def had(catalog: Catalog, panelist: Panelist) -> tuple[Provider, str]:
    """Her own model; where it is not to be had, one that says so, or `Invalid` if nothing speaks for it."""
    try:
        return catalog.resolve(panelist.model)
    except Invalid as error:
        if not panelist.fallback:
            raise
        return _NotHad(error), panelist.model


def sees(catalog: Catalog, panelist: Panelist) -> bool:
    """Whether her model, or one that speaks for it, is shown pictures."""
    return any(showing.sees(provider) for provider in _had(catalog, panelist))


def _had(catalog: Catalog, panelist: Panelist) -> Iterator[Provider]:
    for model in (panelist.model, *panelist.fallback):
        with contextlib.suppress(Invalid):
            yield catalog.resolve(model)[0]


def voices(
    catalog: Catalog,
    panelist: Panelist,
    request: Request,
    room: Callable[[Price], Limit | int | None],
    shown: Callable[[Provider, Request], tuple[Provider, Request]],
) -> Iterator[Voice]:
    """Those that speak for her model, but for who is not to be had, or not for what the limits leave `room` for: asked
    the same, with those of her options that they take, and `shown` what they can see."""
    for name in panelist.fallback:
        price = partial(prices.cost, name)
        most = room(price)
        try:
            provider, model = catalog.resolve(name)
        except Invalid:
            continue
        if not isinstance(most, str):
            options = without_limit(catalog.suited(panelist, provider))
            asked = replace(request, model=model, max_tokens=most, options=options)
            deadlines = deadlines_of(provider)
            provider, asked = shown(provider, asked)
            yield Voice(name, provider, asked, price, deadlines)


def without_limit(options: dict[str, Any]) -> dict[str, Any]:
    """Options but for the one that a request has a member for."""
    return {name: value for name, value in options.items() if name != "max_tokens"}
