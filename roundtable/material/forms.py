"""What a file is, by its first bytes and its name; never by what its sender says it is. Pure."""

import re
from pathlib import PurePath
from typing import Literal, NamedTuple

from protocol.errors import Invalid

MAX_FILE = 5 * 1024 * 1024
"""Bytes of one file: the largest image that every vendor takes (Anthropic's bound), and one record of the log."""
MAX_TEXT = 100_000
"""Characters that are read of one file: some 25,000 tokens, more than most attend to. The rest is left, and said."""
MAX_NAME = 100
"""Characters of a file's name."""

Form = Literal["text", "image", "pdf", "docx"]

_IMAGES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_TEXTS = {
    ".md": "text/markdown", ".csv": "text/csv", ".json": "application/json", ".html": "text/html", ".xml": "text/xml",
}  # fmt: skip
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# C0 and C1 controls but for tab and line ends: text has none, and most other files many.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNNAMED = re.compile(r"[\x00-\x1f\x7f<>\"/\\|:*?]")


class Known(NamedTuple):
    """What a file is; `text` if that needs no reading of its own."""

    form: Form
    media_type: str
    text: str = ""


def recognise(name: str, data: bytes) -> Known:
    """What it is. Raises `Invalid`, and says what is taken."""
    if not data:
        raise Invalid(f"{name} is empty.", field="data")
    if len(data) > MAX_FILE:
        raise Invalid(
            f"{name} has {len(data):,} bytes; at most {MAX_FILE >> 20} MiB are taken.", field="data"
        )
    for signature, media_type in _IMAGES:
        if signature.match(data):
            return Known("image", media_type)
    if data.startswith(b"%PDF-"):
        return Known("pdf", "application/pdf")
    suffix = PurePath(name).suffix.lower()
    if data.startswith(b"PK\x03\x04") and suffix == ".docx":
        return Known("docx", _DOCX)
    text = _decoded(data)
    if text is None:
        raise Invalid(
            f"{name} is nothing that can be read here: text, PDF, Word (.docx), PNG, JPEG, GIF and WebP are.",
            field="data",
            code="unsupported_material",
        )
    return Known("text", _TEXTS.get(suffix, "text/plain"), text)


def plain_name(name: str) -> str:
    """The name without folders and what would break a label. Raises `Invalid` when nothing is left."""
    bare = " ".join(_UNNAMED.sub(" ", name.replace("\\", "/").rpartition("/")[2]).split())[:MAX_NAME].strip()
    if not bare or not bare.isprintable():
        raise Invalid("A file needs a name that can be read.", field="name")
    return bare


def _decoded(data: bytes) -> str | None:
    """As the text it is in UTF-8, in UTF-16 with its mark, or in the code page of older Windows; None if it is none."""
    marked = next((coding for bom, coding in _BOMS if data.startswith(bom)), None)
    for coding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = data.decode(coding)
        except UnicodeDecodeError:
            continue
        return None if _CONTROLS.search(text) else text
    return None
