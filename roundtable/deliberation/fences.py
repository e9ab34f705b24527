"""Fences around what a prompt holds as data: nothing inside one can close it, or open another.

Whoever puts words of a model, a person, a tool or a file into a prompt puts them in here.
"""

import re
from typing import Literal

Fence = Literal["topic", "said", "summary", "material", "result"]

# A model also takes `</ SAID >` for the end, and letters without width between the two cannot be seen.
_GAP = r"[\s\u200b-\u200f\u2060-\u2064\ufeff]*"
_OPENS = re.compile(rf"<(?={_GAP}/?{_GAP}(?:topic|said|summary|material|result)\b)", re.IGNORECASE)


def fenced(fence: Fence, text: str, **attributes: str) -> str:
    """The text as data; attributes that are empty are left out."""
    told = "".join(f' {name}="{_attribute(value)}"' for name, value in attributes.items() if value)
    return f"<{fence}{told}>{harmless(text)}</{fence}>"


def harmless(text: str) -> str:
    """The text with nothing in it that could open or close a fence."""
    return _OPENS.sub("&lt;", text)


def _attribute(text: str) -> str:
    """A name inside quotes, on one line."""
    return " ".join(harmless(text).replace('"', "'").replace("<", "&lt;").replace(">", "&gt;").split())
