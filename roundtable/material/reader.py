"""The program that reads a document: bytes on its standard input, JSON on its standard output, and nothing else.

`python -m roundtable.material.reader pdf|docx MOST`. Documents are the work of strangers and their parsers large, so
they are parsed in a process that can be ended, with bounds that the system keeps (`reading.py` starts it).
"""

import io
import json
import resource
import sys
from collections.abc import Iterator
from typing import NamedTuple

# Seconds of computing and bytes of memory: a PDF of 5 MiB takes some seconds and 300 MB.
_COMPUTE = 20
_MEMORY = 1 << 30


class Read(NamedTuple):
    """The text, up to a bound; `cut` if there was more, of `pages` in all (0 where there are none)."""

    text: str
    cut: bool
    pages: int


def read(form: str, data: bytes, most: int) -> Read:
    """The text of a document, page by page or paragraph by paragraph, at most so many characters."""
    if form == "pdf":
        from pypdf import PdfReader  # noqa: PLC0415 - imported by the child alone

        pages = PdfReader(io.BytesIO(data)).pages
        return _taken((page.extract_text() for page in pages), "\n\n", most, len(pages))
    return _taken(_paragraphs(data), "\n", most, 0)


def _paragraphs(data: bytes) -> Iterator[str]:
    """Paragraphs and tables in the order in which they stand."""
    from docx import Document  # noqa: PLC0415
    from docx.table import Table  # noqa: PLC0415

    for part in Document(io.BytesIO(data)).iter_inner_content():
        if isinstance(part, Table):
            yield from (" | ".join(cell.text for cell in row.cells) for row in part.rows)
        else:
            yield part.text


def _taken(parts: Iterator[str], between: str, most: int, pages: int) -> Read:
    taken: list[str] = []
    room = most
    for part in parts:
        if room <= 0:
            return Read(between.join(taken), True, pages)
        taken.append(part[:room])
        room -= len(part) + len(between)
    return Read(between.join(taken), room < 0, pages)


def main() -> None:
    """Read one document, in bounds."""
    form, most = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CPU, (_COMPUTE, _COMPUTE))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    data = sys.stdin.buffer.read()
    found = read(form, data, most)
    sys.stdout.write(json.dumps(found._asdict()))


if __name__ == "__main__":
    main()
