"""Server-Sent Events, section by section of WHATWG HTML 9.2, however the bytes are cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import sse
from protocol.errors import ProviderError
from protocol.sse import Decoder, Frame, encode

# Text as it may stand in a field: no line ends, no NUL (which an id may not hold).
values = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
names = values.filter(bool)
data = st.text(st.characters(exclude_categories=["Cs"]))


def decode(stream: bytes) -> list[Frame]:
    return list(Decoder().feed(stream))


def cut(stream: bytes, size: int) -> tuple[list[Frame], Decoder]:
    """Decode in pieces of `size` bytes."""
    decoder = Decoder()
    frames = [frame for at in range(0, len(stream), size) for frame in decoder.feed(stream[at : at + size])]
    return frames, decoder


STREAM = (
    "\ufeff: hello\n\n"
    'id: 1-1\nevent: turn.delta\ndata: {"text":"für\u2028Ada 🙂"}\n\n'
    "data: two\r\ndata:lines\r\n\r\n"
    "id: 1-2\r\rretry: 2500\rdata:\r\r"
    "event: end\ndata: done\nid\n\n"
    "data: never finished\n"
).encode()
FRAMES = [
    Frame("turn.delta", '{"text":"für\u2028Ada 🙂"}', "1-1"),
    Frame("message", "two\nlines"),
    Frame("message", "", retry=2500),
    Frame("end", "done", "", retry=2500),
]


@pytest.mark.parametrize("size", range(1, len(STREAM) + 1))
def test_a_stream_means_the_same_however_it_is_cut(size: int) -> None:
    frames, decoder = cut(STREAM, size)
    assert frames == FRAMES
    assert decoder.last_id == ""
    assert decoder.retry == 2500


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("at", range(40))
def test_every_line_end_at_every_cut(end: str, at: int) -> None:
    stream = f"id: 7-1{end}event: hb{end}data: a{end}data: b{end}{end}".encode()
    decoder = Decoder()
    frames = [*decoder.feed(stream[:at]), *decoder.feed(b""), *decoder.feed(stream[at:])]
    assert frames == [Frame("hb", "a\nb", "7-1")]


def test_only_cr_and_lf_end_a_line() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    assert decode(f"data: {text}\n\n".encode()) == [Frame("message", text)]
    assert decode(encode(text.encode())) == [Frame("message", text)]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_one_byte_order_mark_is_dropped_and_only_at_the_start(size: int) -> None:
    mark = "\ufeff"
    assert cut(f"{mark}data: x\n\ndata: {mark}y\n\n".encode(), size)[0] == [
        Frame("message", "x"),
        Frame("message", f"{mark}y"),
    ]
    assert cut(f"{mark}{mark}data: x\n\n".encode(), size)[0] == []  # an unknown field


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("data: x", "x"),
        ("data:x", "x"),
        ("data:  x", " x"),
        ("data", ""),
        ("data: a: b", "a: b"),
        ("data:", ""),
    ],
)
def test_one_space_after_the_colon_is_dropped(line: str, text: str) -> None:
    assert decode(f"{line}\n\n".encode()) == [Frame("message", text)]


@pytest.mark.parametrize(
    "line", [": comment", "Data: x", " data: x", "other: x", "retry: soon", "retry:", "x"]
)
def test_other_lines_are_ignored(line: str) -> None:
    decoder = Decoder()
    assert list(decoder.feed(f"{line}\ndata: y\n\n".encode())) == [Frame("message", "y")]
    assert decoder.retry is None


def test_an_event_without_data_is_not_dispatched_and_its_name_forgotten() -> None:
    assert decode(b"event: hb\n\ndata: x\n\n") == [Frame("message", "x")]


# Identifiers


def test_the_last_id_stays_until_another_comes() -> None:
    decoder = Decoder()
    assert list(decoder.feed(b"id: 1\ndata: a\n\ndata: b\n\n")) == [
        Frame("message", "a", "1"),
        Frame("message", "b"),
    ]
    assert decoder.last_id == "1"


def test_an_id_counts_when_its_event_is_complete() -> None:
    decoder = Decoder()
    list(decoder.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n"))
    assert decoder.last_id == "1"
    list(decoder.feed(b"\n"))
    assert decoder.last_id == "2"


def test_a_bare_id_moves_the_reader_and_shows_nothing() -> None:
    decoder = Decoder()
    assert list(decoder.feed(encode(id="5-9"))) == []
    assert decoder.last_id == "5-9"


def test_an_id_with_nul_is_ignored_and_an_empty_one_resets() -> None:
    decoder = Decoder()
    list(decoder.feed(b"id: 1\n\nid: 2\x003\n\n"))
    assert decoder.last_id == "1"
    list(decoder.feed(b"id\n\n"))
    assert decoder.last_id == ""


# Bounds and damage


@pytest.mark.parametrize(
    "piece", [b"data: " + b"x" * 500, b"x" * 500, b"data: " + b"x" * 93 + b"\n", b"data:\n" * 100]
)
def test_a_frame_without_end_is_refused(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_LINE", 2000)
    with pytest.raises(ProviderError, match="without end"):
        cut(piece * 100, len(piece))


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    assert decode(b"data: a\xffb\n\n") == [Frame("message", "a\ufffdb")]


# The encoder


def test_frames_stand_as_documented() -> None:
    assert (
        encode(b'{"a":1}', event="turn.delta", id="1-2") == b'id: 1-2\nevent: turn.delta\ndata: {"a":1}\n\n'
    )
    assert encode(id="1-2") == b"id: 1-2\n\n"
    assert encode(retry=1500) == b"retry: 1500\n\n"
    assert encode(event="hb") == b"event: hb\ndata: \n\n"
    assert encode(b"a\nb\r\nc\rd") == b"data: a\ndata: b\ndata: c\ndata: d\n\n"
    assert decode(sse.comment("hello") + sse.comment()) == []


@given(st.lists(st.tuples(data, names, names, st.none() | st.integers(0, 10**6))), st.integers(1, 50))
def test_what_is_encoded_is_decoded(made: list[tuple[str, str, str, int | None]], size: int) -> None:
    stream = b"".join(
        encode(text.encode(), event=event, id=id, retry=retry) for text, event, id, retry in made
    )
    frames, _ = cut(stream, size)
    assert [(frame.data, frame.event, frame.id) for frame in frames] == [
        (re.sub("\r\n|\r", "\n", text), event, id) for text, event, id, _ in made
    ]


@given(st.binary(), st.integers(1, 9))
def test_any_bytes_mean_the_same_however_they_are_cut(stream: bytes, size: int) -> None:
    whole, pieces = Decoder(), cut(stream, size)
    assert list(whole.feed(stream)) == pieces[0]
    assert (whole.last_id, whole.retry) == (pieces[1].last_id, pieces[1].retry)
