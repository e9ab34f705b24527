"""What a person types or pastes to name a server or a table: a page's address, an API's, or an id."""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from protocol.errors import Invalid

# Where `serve` listens unless told otherwise.
HERE = "http://127.0.0.1:8420"
_TABLE = re.compile(r"(?P<prefix>.*?)/(?:t|v1/roundtables)/(?P<id>[^/]+)(?:/(?:events|export|replay|ws)?)?")
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


class Place(NamedTuple):
    """A table on a server."""

    server: str
    table: str


def is_address(text: str) -> bool:
    """Whether it is an address, and not a file or an id."""
    return re.match(r"https?://", text, re.IGNORECASE) is not None


def server(url: str) -> str:
    """A server's address without what is behind it. Raises `Invalid`."""
    parts = _split(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def table(text: str, here: str = HERE) -> Place:
    """The table behind an address, or behind an id on the server at `here`. Raises `Invalid`."""
    if not is_address(text):
        if not _ID.fullmatch(text):
            raise Invalid(f"{text[:100]!r} is neither a table's id nor its address.", field="table")
        return Place(server(here), text)
    parts = _split(text)
    match = _TABLE.fullmatch(parts.path)
    if match is None or not _ID.fullmatch(unquote(match["id"])):
        raise Invalid(f"{text[:100]!r} is no table's address; one looks like {HERE}/t/ID.", field="table")
    return Place(f"{parts.scheme}://{parts.netloc}{match['prefix']}", unquote(match["id"]))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no number
    except ValueError as error:
        raise Invalid(f"{url[:100]!r} is no address: {error}.", field="url") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"{url[:100]!r} is no address of a server; one looks like {HERE}.", field="url")
    if "@" in parts.netloc:
        raise Invalid(
            "An address is shown and kept, so no secret belongs there: set ROUNDTABLE_SECRET.", field="url"
        )
    return parts
