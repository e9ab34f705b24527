"""What a file says, as text: at once where it is text; a document through `reader`, in a process of its own."""

import asyncio
import logging
import sys
import unicodedata
from typing import Literal

import msgspec

from protocol.errors import Busy, Invalid
from roundtable.material.forms import MAX_TEXT, Form, recognise

log = logging.getLogger("roundtable.material")

# Seconds for a document to be read, waiting for a busy machine included; its computing has a bound of its own.
WITHIN = 30.0
# Documents read at the same time on one node: each may take a gigabyte.
AT_ONCE = 2
# Documents that wait for that; who comes then is told to come back.
WAITING = 16
# Seconds after which to come back: half of what one takes at the most.
_AGAIN = 15.0


class Contents(msgspec.Struct, frozen=True):
    """What is known of a file. `text` has at most `MAX_TEXT` characters, and is empty for an image."""

    media_type: str
    form: Literal["text", "image"]
    text: str = ""
    pages: int = 0
    cut: bool = False


class _Read(msgspec.Struct):
    text: str
    cut: bool
    pages: int


class Readers:
    """Reads files, a few at a time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def read(self, name: str, data: bytes) -> Contents:
        """What is in it. Raises `Invalid` for what cannot be read, `Busy` when too many wait."""
        known = recognise(name, data)
        if known.form == "image":
            return Contents(known.media_type, "image")
        if known.form == "text":
            return Contents(known.media_type, "text", known.text[:MAX_TEXT], cut=len(known.text) > MAX_TEXT)
        if self._waiting >= WAITING:
            raise Busy("Too many documents wait to be read.", retry_after=_AGAIN)
        self._waiting += 1
        try:
            async with self._free:
                found = await _read(known.form, data)
        finally:
            self._waiting -= 1
        text = _plain(found.text)
        if not text.strip():
            raise Invalid(
                f"{name} holds no text: pages that were scanned are pictures; send them as images.",
                field="data",
                code="unsupported_material",
            )
        cut = found.cut or len(text) > MAX_TEXT  # one character of print may stand for eighteen
        return Contents(known.media_type, "text", text[:MAX_TEXT], found.pages, cut)


async def _read(form: Form, data: bytes) -> _Read:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "roundtable.material.reader", form, str(MAX_TEXT),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path), "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    complaint = b""
    try:
        async with asyncio.timeout(WITHIN):
            told, complaint = await child.communicate(data)
        return msgspec.json.decode(told, type=_Read)
    except TimeoutError:
        raise Invalid(
            "The document took too long to be read.", field="data", code="unsupported_material"
        ) from None
    except msgspec.DecodeError:
        log.info("a %s cannot be read: %s", form, complaint.decode(errors="replace")[-200:])
        raise Invalid(
            "The document is damaged, locked, or larger inside than it may be.",
            field="data",
            code="unsupported_material",
        ) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def _plain(text: str) -> str:
    """Without control characters, halves of pairs, and the ligatures of print."""
    kept = "".join(
        each for each in text if each in "\t\n" or unicodedata.category(each) not in ("Cc", "Cs", "Co")
    )
    return unicodedata.normalize("NFKC", kept) if any(each in kept for each in "ﬀﬁﬂﬃﬄ") else kept
