"""What a long-running command writes to standard error: a line an event.

A trouble of the store says itself what to do, and needs no traceback; one is shown of what we did not foresee.
"""

import logging
from types import TracebackType

from protocol.errors import LogError

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def begin(form: str) -> None:
    """Write what is worth a person's attention, in `form` (see `logging.Formatter`)."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain(form))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class _Plain(logging.Formatter):
    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        return _sentence(ei[1]) or super().formatException(ei)


def _sentence(error: BaseException | None) -> str:
    """What the store said; empty for anything else."""
    if isinstance(error, BaseExceptionGroup):
        told = [_sentence(each) for each in error.exceptions]
        return "\n".join(told) if all(told) else ""
    return error.detail if isinstance(error, LogError) else ""
