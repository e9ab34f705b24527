"""A seat as a model: one invocation that belongs to one connection, ends with it, and leaves nothing behind."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from protocol.errors import Invalid, NotFound
from protocol.messages import Panelist
from roundtable.edge import keys
from roundtable.edge.invoking.callers import Callers
from roundtable.edge.limits import address
from roundtable.edge.openai.errors import UnknownModel
from roundtable.fanout.reading import Reading
from roundtable.invocations.invocations import Ask
from roundtable.invocations.throttle import Throttle
from roundtable.tools.toolbox import PANELIST


class Asked(NamedTuple):
    """An answer under way: what it tells, and how its reader says what was `taken` (a seq)."""

    id: str
    reading: Reading
    taken: Callable[[int], None]


@contextlib.asynccontextmanager
async def asked(
    request: web.Request, callers: Callers, model: str, args: Mapping[str, Any]
) -> AsyncIterator[Asked]:
    """Ask. Raises `UnknownModel`, and `Invalid` naming the argument; and nothing was asked then."""
    _check(request, model, args["options"])
    invocations, throttle = request.app[keys.INVOCATIONS], Throttle()
    begun = await invocations.invoke(
        Ask(f"{PANELIST}/{model}", args, address(request), record=False, throttle=throttle)
    )
    try:
        async with request.app[keys.FLEETING].reading(begun.stream, begun.cursor) as reading:
            with callers.watch(request.transport, lambda: invocations.drop(begun.id)):
                yield Asked(begun.id, reading, throttle.taken)
    finally:
        throttle.release()
        with contextlib.suppress(NotFound):  # it has ended by itself
            await invocations.cancel(begun.id, "caller_left")
        await invocations.forget(begun.id)


def _check(request: web.Request, model: str, options: dict[str, Any]) -> None:
    try:
        request.app[keys.CATALOG].check(Panelist("seat", model, options=options))
    except Invalid as error:
        if error.field == "model":
            raise UnknownModel(error.detail) from error
        raise
