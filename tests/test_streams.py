"""`/v1/stream`: any resource by its path, several as one, and the views, forms and paces that a query asks for."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from protocol import codec, sse
from protocol import events as e
from protocol.cursor import ZERO, Cursor
from protocol.messages import Cost, Usage
from roundtable.edge import keys
from roundtable.edge.streams import viewing
from roundtable.fanout import framing
from roundtable.fanout.broadcast import ROOMY_VIEWS
from roundtable.log.base import EventLog, Record
from tests.serving import Client, Connect, problem, serve
from tests.tables import AT, TERM, opened

WHO: dict[str, Any] = {"turn": "t1", "panelist": "Ada"}
CLOSED = e.TableClosed(reason="max_turns")


def turn(number: int, name: str, words: int = 3) -> list[e.Event]:
    who: dict[str, Any] = {"turn": f"t{number}", "panelist": name}
    said = [f"{name}{number}.{word} " for word in range(words)]
    return [
        e.TurnQueued(**who, round=1),
        e.TurnStarted(**who),
        *(e.TurnDelta(**who, attempt=1, text=word) for word in said),
        e.TurnCompleted(**who, text="".join(said), usage=Usage(10, words), cost=Cost(0.5)),
    ]


class House:
    """A whole server, and tables that a test writes itself; a second passes between two entries."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.log: EventLog = client.app[keys.LOG]
        self.last: dict[str, Cursor] = {}

    async def write(self, table: str, *events: e.Event) -> None:
        last = self.last.get(table, ZERO)
        batch = [
            Record(Cursor(TERM, seq), codec.encode_body(event, AT + seq))
            for seq, event in enumerate(events, last.seq + 1)
        ]
        await self.log.append(f"table/{table}", last, batch)
        self.last[table] = batch[-1].cursor

    def reading(self, path: str, **query: Any) -> Any:
        headers = {"Last-Event-ID": str(query.pop("last"))} if "last" in query else {}
        return self.client.get(f"/v1/stream{path}", params=query, headers=headers)

    async def frames(self, path: str, **query: Any) -> list[sse.Frame]:
        async with self.reading(path, **query) as response:
            assert response.status == 200, await response.text()
            return [frame async for frame in frames(response)]

    async def lines(self, path: str, **query: Any) -> list[dict[str, Any]]:
        async with self.reading(path, format="ndjson", **query) as response:
            assert response.content_type == "application/x-ndjson"
            return [json.loads(line) for line in (await response.text()).splitlines()]

    async def document(self, path: str, **query: Any) -> dict[str, Any]:
        async with self.reading(path, format="json", **query) as response:
            assert response.content_type == "application/json", await response.text()
            return dict(await response.json())


async def frames(response: ClientResponse) -> AsyncIterator[sse.Frame]:
    decoder = sse.Decoder()
    async for piece in response.content.iter_any():
        for frame in decoder.feed(piece):
            if frame.event != "hb":
                yield frame


@pytest.fixture
async def house(aiohttp_client: Connect, tmp_path: Path) -> House:
    house = House(await serve(aiohttp_client, data=tmp_path))
    await house.write("a", *opened(), *turn(1, "Ada"), *turn(2, "Ben"), CLOSED)
    return house


def ids(frames: list[sse.Frame]) -> list[str]:
    return [frame.id for frame in frames if frame.id]


def cursors(*seqs: int) -> list[str]:
    return [f"{TERM}-{seq}" for seq in seqs]


def text(frames: list[sse.Frame]) -> str:
    return "".join(json.loads(frame.data)["text"] for frame in frames if frame.event == "turn.delta")


SAID = "Ada1.0 Ada1.1 Ada1.2 Ben2.0 Ben2.1 Ben2.2 "


# Resources


@pytest.mark.parametrize("type", ["table", "roundtable"])
async def test_a_table_by_its_path_is_what_its_events_are(house: House, type: str) -> None:
    shown = await house.frames(f"/{type}/a")
    async with house.client.get("/v1/roundtables/a/events") as response:
        assert [frame async for frame in frames(response)] == shown
    assert ids(shown) == cursors(*range(1, 16))
    assert shown[-1].event == "end"


async def test_a_turn_ends_when_it_has_ended_though_its_table_goes_on(house: House) -> None:
    await house.write("b", *opened(), *turn(1, "Ada")[:-1])
    async with house.reading("/turn/b.t1") as response:
        told = frames(response)
        assert [(await anext(told)).event for _ in range(5)] == [
            "turn.queued",
            "turn.started",
            *["turn.delta"] * 3,
        ]
        await house.write("b", turn(1, "Ada")[-1], *turn(2, "Ben"))
        rest = [frame async for frame in told]
    assert [frame.event for frame in rest] == ["turn.completed", "end"]
    assert json.loads(rest[-1].data)["reason"] == "completed"
    again = await house.frames("/turn/b.t1", after=cursors(5)[0])
    assert ids(again) == cursors(6, 7, 8)
    assert (await house.reading("/turn/b.t1", last=cursors(8)[0])).status == 204
    assert (await house.reading("/turn/b.t1", last=cursors(11)[0])).status == 204
    document = await house.document("/turn/b.t1", after=cursors(6)[0])
    assert [entry["id"] for entry in document["entries"]] == cursors(7, 8)
    assert document["ended"]


async def test_an_invocation_and_its_tools_run_are_the_same(house: House) -> None:
    say = {"model": "scripted:ada", "prompt": "Why?", "options": {"text": "One two.", "rate": 0, "ttft": 0}}
    async with house.client.post("/invoke", json={"tool": "complete", "args": say}) as response:
        invoked = [frame async for frame in frames(response)]
    id = json.loads(invoked[0].data)["id"]
    for type in ("invocation", "tool"):
        shown = await house.frames(f"/{type}/{id}")
        assert [frame for frame in shown if frame.event != "end"] == invoked
        assert json.loads(shown[-1].data)["reason"] == "converge"
    final, _ = await house.frames(f"/invocation/{id}", types="converge", enrich="cost,names")
    told = json.loads(final.data)
    assert told["address"] == "tool/complete"
    assert told["spent"]["tokens_out"] == told["final"]["usage"]["output"] > 0


async def test_the_id_of_a_message_is_its_place_and_what_it_names_is_its_own(house: House) -> None:
    async with house.client.post("/invoke", json={"tool": "vector_markov", "args": {"steps": 2}}) as response:
        invoked = [frame async for frame in frames(response) if frame.id]
    own = json.loads(invoked[0].data)["id"]
    path = f"/invocation/{own}"
    async with house.client.ws_connect(f"/v1/stream{path}") as socket:
        messages = [json.loads(message.data) async for message in socket]
    for whole in (messages, await house.lines(path), (await house.document(path))["entries"]):
        told = [each for each in whole if "id" in each and each["type"] != "mark"]
        assert [each["id"] for each in told] == ids(invoked)
        assert {each["own_id"] for each in told if each["type"] != "step"} == {own}


@pytest.mark.parametrize("path", ["/table/none", "/chair/a", "/turn/a.t9", "/turn/a", "/turn/none.t1"])
async def test_what_is_not_there_is_not_found(house: House, path: str) -> None:
    assert (await problem(await house.reading(path)))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "yesterday"}, "after"),
        ({"types": "turn.[a-z]"}, "types"),
        ({"types": ",".join(f"t{n}" for n in range(33))}, "types"),
        ({"panelists": "x" * 81}, "panelists"),
        ({"enrich": "price"}, "enrich"),
        ({"coalesce": "9"}, "coalesce"),
        ({"coalesce": "nan"}, "coalesce"),
        ({"events_per_second": "0"}, "events_per_second"),
        ({"tokens_per_second": "inf"}, "tokens_per_second"),
        ({"format": "xml"}, "format"),
        ({"format": "json", "events_per_second": "1"}, "format"),
        ({"limit": "5"}, "limit"),
        ({"format": "json", "limit": "0"}, "limit"),
        ({"panelist": "Ada"}, "panelist"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused_by_name(
    house: House, query: dict[str, str], field: str
) -> None:
    status, _, named = await problem(await house.reading("/table/a", **query))
    assert (status, named) == (400, field)


async def test_a_mistyped_parameter_is_told_what_it_may_have_meant(house: House) -> None:
    response = await house.reading("/table/a", type="turn.delta")
    assert "did you mean types?" in (await response.json())["detail"]


# Views


async def test_a_filter_shows_some_and_moves_the_reader_over_the_rest(house: House) -> None:
    shown = await house.frames("/table/a", types="turn.delta,table.*", panelists="Ben")
    assert ids(shown) == cursors(11, 12, 13)
    assert json.loads(shown[-1].data)["cursor"] == cursors(15)[0]
    assert (await house.reading("/table/a", types="turn.delta", last=cursors(15)[0])).status == 204
    lines = await house.lines("/table/a", types="turn.delta", panelists="Ben")
    assert [line["id"] for line in lines if "id" in line] == cursors(11, 12, 13, 15)
    assert [line["type"] for line in lines[-2:]] == ["mark", "end"]


async def test_words_go_together_and_their_parts_are_still_told(house: House) -> None:
    shown = await house.frames("/table/a", coalesce=0.25)
    deltas = [json.loads(frame.data) for frame in shown if frame.event == "turn.delta"]
    assert [each["text"] for each in deltas] == ["Ada1.0 Ada1.1 Ada1.2 ", "Ben2.0 Ben2.1 Ben2.2 "]
    assert deltas[0]["chunks"] == [[7, 0], [7, 1000], [7, 2000]]
    assert ids(shown) == cursors(1, 2, 3, 4, 7, 8, 9, 10, 13, 14, 15)


async def test_whoever_goes_on_within_words_that_went_together_gets_the_rest_of_them(house: House) -> None:
    for seq in range(16):
        after = cursors(seq)[0] if seq else "0-0"
        for query in ({}, {"coalesce": 0.25}, {"panelists": "Ben", "coalesce": 1, "enrich": "cost"}):
            response = await house.reading("/table/a", after=after, **query)
            if response.status == 204:
                assert seq == 15
                continue
            rest = text([frame async for frame in frames(response)])
            whole = SAID.split(" Ben")[1] if "panelists" in query else SAID
            assert SAID.endswith(rest)
            said = sum(
                seq >= delta for delta in (5, 6, 7, 11, 12, 13) if delta > 10 or "panelists" not in query
            )
            assert len(rest) == 7 * ((3 if "panelists" in query else 6) - said), (query, seq, whole)


async def test_what_is_known_is_added(house: House) -> None:
    shown = await house.frames("/table/a", enrich="names,elapsed,cost", types="turn.*")
    told = [json.loads(frame.data) for frame in shown if frame.id]
    assert {(each["panelist"], each.get("model")) for each in told} == {
        ("Ada", "scripted:ada"),
        ("Ada", ""),
        ("Ben", "scripted:ben"),
        ("Ben", ""),
    }
    assert [each["elapsed"] for each in told] == [float(seq) for seq in range(1, 13)]
    spent = [each["spent"] for each in told]
    assert [each["dollars"] for each in spent] == [0.0] * 5 + [0.5] * 6 + [1.0]
    assert spent[-1] == {"tokens_in": 20, "tokens_out": 6, "dollars": 1.0, "unpriced": 0}


async def test_live_frames_know_as_much_as_late_ones(house: House) -> None:
    await house.write("b", *opened())
    query = {"enrich": "elapsed,cost", "types": "turn.*,table.closed", "coalesce": 0.05}
    async with house.reading("/table/b", **query) as response:
        told = frames(response)
        await house.write("b", *turn(1, "Ada"))
        live = [await anext(told) for _ in range(4)]
        await house.write("b", CLOSED)
        live += [frame async for frame in told]
    assert await house.frames("/table/b", **query) == live
    assert text(live) == "Ada1.0 Ada1.1 Ada1.2 "


async def test_many_viewers_of_one_view_cost_one_encoding(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[Cursor]()

    def counted(self: Any, cursor: Cursor, event: bytes, data: bytes) -> bytes:
        made.append(cursor)
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (str(cursor).encode(), event, data)

    monkeypatch.setattr(framing.EventStream, "frame", counted)
    await house.write("b", *opened())
    queries = [
        {"types": "turn.delta,turn.completed", "enrich": "cost,elapsed", "coalesce": "0.010"},
        {"types": "turn.completed,turn.delta", "enrich": "elapsed,cost", "coalesce": "0.01"},
    ]
    watching = [asyncio.create_task(house.frames("/table/b", **queries[each % 2])) for each in range(60)]
    broadcast = house.client.app[keys.BROADCAST]
    while broadcast.spectators("table/b") < 60:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.001)
    await house.write("b", *turn(1, "Ada"), CLOSED)
    first, *others = await asyncio.gather(*watching)
    assert all(other == first for other in others)
    assert text(first) == "Ada1.0 Ada1.1 Ada1.2 "
    assert made == [Cursor(TERM, 7), Cursor(TERM, 8)]


async def test_more_views_than_are_given_room_are_served_all_the_same(house: House) -> None:
    await house.write("b", *opened())
    watching = [
        asyncio.create_task(house.frames("/table/b", types=f"turn.delta,x{each}"))
        for each in range(ROOMY_VIEWS + 8)
    ]
    broadcast = house.client.app[keys.BROADCAST]
    while broadcast.spectators("table/b") < len(watching):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.001)
    for number in range(1, 4):
        await house.write("b", *turn(number, "Ada", 200))
    await house.write("b", CLOSED)
    for shown in await asyncio.gather(*watching):
        assert len(ids(shown)) == 600


# Forms


async def test_lines_are_what_messages_are(house: House) -> None:
    async with house.client.ws_connect("/v1/stream/table/a?types=turn.*&coalesce=1") as socket:
        messages = [json.loads(message.data) async for message in socket]
        assert socket.close_code == 1000
    lines = await house.lines("/table/a", types="turn.*", coalesce=1)
    assert [line for line in lines if line["type"] != "hb"] == [m for m in messages if m["type"] != "hb"]


async def test_a_socket_of_a_stream_takes_nothing(house: House) -> None:
    await house.write("b", *opened())
    async with house.client.ws_connect("/v1/stream/table/b?after=now") as socket:
        await socket.send_json({"type": "say", "text": "Hello", "key": "1"})
        answers = [json.loads(message.data) async for message in until(socket, "error")]
        assert answers[-1]["code"] == "wrong_state"


async def until(socket: Any, type: str) -> AsyncIterator[Any]:
    async for message in socket:
        yield message
        if json.loads(message.data)["type"] == type:
            return


async def test_documents_page_through_everything(house: House) -> None:
    for query in ({}, {"types": "turn.delta"}, {"coalesce": 1, "enrich": "elapsed"}):
        whole = [line for line in await house.lines("/table/a", **query) if "at" in line]
        seen, address = (
            list[Any](),
            "/v1/stream/table/a?format=json&limit=2&"
            + "&".join(f"{name}={value}" for name, value in query.items()),
        )
        while True:
            document = await (await house.client.get(address)).json()
            seen += document["entries"]
            assert len(document["entries"]) <= 2
            if document["ended"]:
                break
            address = document["next"]
        assert document["cursor"] == cursors(15)[0]
        if "coalesce" not in query:  # what a page cuts apart stays apart
            assert seen == whole
        assert "".join(each.get("text", "") for each in seen if each["type"] == "turn.delta") == SAID


async def test_a_document_does_not_wait_and_says_where_to_go_on(house: House) -> None:
    await house.write("b", *opened())
    first = await house.document("/table/b")
    assert (len(first["entries"]), first["ended"]) == (2, False)
    assert (await house.document("/table/b", after=first["cursor"]))["entries"] == []
    await house.write("b", CLOSED)
    last = await (await house.client.get(first["next"])).json()
    assert [entry["type"] for entry in last["entries"]] == ["table.closed"]
    assert last["ended"]
    assert last["next"] is None


# A pace of one's own


@pytest.mark.parametrize("query", [{"events_per_second": 2000}, {"tokens_per_second": 2000}])
async def test_a_slow_viewer_by_choice_misses_nothing(house: House, query: dict[str, int]) -> None:
    shown = await house.frames("/table/a", **query)
    assert shown == await house.frames("/table/a")
    rest = await house.frames("/table/a", types="turn.delta", last=cursors(6)[0], **query)
    assert ids(rest) == cursors(7, 11, 12, 13, 15)[:4]
    assert (await house.reading("/table/a", last=cursors(15)[0], **query)).status == 204


async def test_an_unknown_cursor_is_reset_in_every_form(house: House) -> None:
    for query in ({}, {"events_per_second": 1000}, {"coalesce": 1}):
        shown = await house.frames("/table/a", last="5-1", **query)
        assert [frame.event for frame in shown] == ["reset", "end"]
    document = await house.document("/table/a", after="5-1")
    assert [entry["type"] for entry in document["entries"]] == ["reset"]
    assert document["cursor"] == cursors(15)[0]


@pytest.mark.parametrize("last", ["0-0.1", f"{TERM}-5.1", f"{TERM}-5.2", f"{TERM + 1}-5.1", f"{TERM}-99.1"])
async def test_a_place_within_an_entry_means_the_same_in_every_form(house: House, last: str) -> None:
    channels = await house.frames("/table/a", last=last)
    assert await house.frames("/table/a", last=last, events_per_second=5000) == channels
    document = await house.document("/table/a", after=last)
    assert [each["type"] for each in document["entries"]] == [frame.event for frame in channels[:-1]]


async def test_a_view_that_shows_nothing_comes_to_the_end_all_the_same(house: House) -> None:
    await house.write("b", *opened(), *turn(1, "Ada"), *turn(2, "Ada", 20)[:-1])
    document = await house.document("/turn/b.t1", limit=1)
    while document["next"]:
        document = await (await house.client.get(document["next"])).json()
    assert (document["cursor"], document["ended"]) == (cursors(8)[0], True)
    live = await house.document("/turn/b.t2", types="none")
    assert (live["cursor"], live["ended"], live["entries"]) == (str(house.last["b"]), False, [])


async def test_words_logged_together_are_told_apart_at_a_pace_of_tokens_and_resumed_within(
    house: House,
) -> None:
    delta = e.TurnDelta(**WHO, attempt=1, text="one two three", chunks=[(4, 0), (4, 10), (5, 20)])
    await house.write("b", *opened(), *turn(1, "Ada")[:2], delta, turn(1, "Ada")[-1], CLOSED)
    shown = await house.frames("/table/b", tokens_per_second=5000, types="turn.delta")
    assert ids(shown) == [*(f"{TERM}-5.{part}" for part in (1, 2)), f"{TERM}-5"]
    for query in ({"tokens_per_second": 5000}, {"events_per_second": 5000}, {}):
        rest = await house.frames("/table/b", types="turn.delta", last=f"{TERM}-5.1", **query)
        assert text(rest) == "two three"


# Several as one


async def test_several_streams_come_as_one_and_each_entry_names_its_source(house: House) -> None:
    await house.write("b", *opened(), *turn(1, "Cleo", 50), CLOSED)
    query = [("of", "table/a"), ("of", "table/b"), ("types", "turn.delta")]
    async with house.client.get("/v1/stream", params=query) as response:
        shown = [frame async for frame in frames(response)]
    said = {"table/a": "", "table/b": ""}
    for frame in shown:
        if frame.event == "turn.delta":
            told = json.loads(frame.data)
            said[told["source"]] += told["text"]
    assert said["table/a"] == SAID
    assert said["table/b"].count("Cleo") == 50
    ended = [json.loads(frame.data) for frame in shown if frame.event == "source.ended"]
    assert {each["source"]: each["reason"] for each in ended} == dict.fromkeys(said, "max_turns")
    assert json.loads(shown[-1].data)["type"] == "end"
    place = json.loads(shown[-1].data)["cursor"]
    assert place == f"{cursors(15)[0]},{house.last['b']}"
    response = await house.client.get("/v1/stream", params=query, headers={"Last-Event-ID": place})
    assert response.status == 204


async def test_several_streams_go_on_exactly_from_any_cursor(house: House) -> None:
    await house.write("b", *opened(), *turn(1, "Cleo", 9), CLOSED)
    of = [("of", "table/a"), ("of", "table/b")]

    async def told(last: str = "") -> list[sse.Frame]:
        headers = {"Last-Event-ID": last} if last else {}
        async with house.client.get("/v1/stream", params=of, headers=headers) as response:
            return [frame async for frame in frames(response)]

    whole = await told()
    entries = [frame for frame in whole if frame.id]
    for number, frame in enumerate(entries[:-1], 1):
        rest = [each for each in await told(frame.id or "") if each.id]
        for source in ("table/a", "table/b"):
            mine = [json.loads(each.data) for each in entries[number:] if f'"{source}"' in each.data]
            assert [json.loads(each.data) for each in rest if f'"{source}"' in each.data] == mine


async def test_any_number_of_cuts_while_two_tables_speak_equals_none(house: House) -> None:
    for table in ("b", "c"):
        await house.write(table, *opened())

    async def speak() -> None:
        for number in range(1, 30):
            await house.write("b", *turn(number, "Ben", number % 4))
            await house.write("c", *turn(number, "Ada", 1))
        await house.write("c", CLOSED)
        await house.write("b", CLOSED)

    query = [("of", "table/c"), ("of", "table/b"), ("types", "turn.*,table.*"), ("enrich", "elapsed")]
    seen: dict[str, list[Any]] = {"table/b": [], "table/c": []}
    last, over, speaking = "", False, asyncio.create_task(speak())
    for cut in itertools.count():
        headers = {"Last-Event-ID": last} if last else {}
        async with house.client.get("/v1/stream", params=query, headers=headers) as response:
            taken = 0
            async for frame in frames(response):
                over = frame.event == "end"
                if frame.id:
                    entry = json.loads(frame.data)
                    seen[entry.pop("source")].append(entry)
                    last, taken = frame.id, taken + 1
                if taken > cut % 9:
                    break
        if over:
            break
    await speaking
    assert cut > 20
    for source, mine in seen.items():
        shown = await house.frames(f"/{source}", types="turn.*,table.*", enrich="elapsed")
        assert mine == [json.loads(frame.data) for frame in shown if frame.id]


@pytest.mark.parametrize("query", [{"events_per_second": 50}, {"of": "table/b"}])
async def test_heartbeats_move_a_viewer_over_what_he_is_not_shown(
    house: House, query: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing, "HEARTBEAT", 0.02)
    await house.write("b", *opened(), *turn(1, "Ada"))
    path = "" if "of" in query else "/table/b"
    async with house.reading(path, types="round.*", **query) as response:
        decoder, beats = sse.Decoder(), list[Any]()
        async for piece in response.content.iter_any():
            beats += [json.loads(frame.data) for frame in decoder.feed(piece) if frame.event == "hb"]
            if decoder.last_id:
                break
    assert beats[-1]["head"] == decoder.last_id == str(house.last["b"])


async def test_one_source_that_is_gone_does_not_cost_the_others(house: House) -> None:
    await house.write("b", *opened())
    query = [("of", "table/a"), ("of", "table/b")]
    async with house.client.get("/v1/stream", params=query) as response:
        told = frames(response)
        seen = [await anext(told) for _ in range(18)]
        await house.log.delete("table/b")
        seen += [frame async for frame in told]
    reasons = {
        json.loads(frame.data)["source"]: json.loads(frame.data)["reason"]
        for frame in seen
        if frame.event == "source.ended"
    }
    assert reasons == {"table/a": "max_turns", "table/b": "deleted"}
    assert seen[-1].event == "end"
    last = f"{cursors(14)[0]},{cursors(2)[0]}"
    async with house.client.get("/v1/stream", params=query, headers={"Last-Event-ID": last}) as response:
        again = [frame async for frame in frames(response)]
    assert {frame.event for frame in again} == {"table.closed", "source.ended", "end"}


async def test_a_source_that_lost_its_place_is_reset_alone(house: House) -> None:
    await house.write("b", *opened(), CLOSED)
    query = [("of", "table/a"), ("of", "table/b")]
    headers = {"Last-Event-ID": f"7-7,{cursors(1)[0]}"}
    async with house.client.get("/v1/stream", params=query, headers=headers) as response:
        shown = [frame async for frame in frames(response)]
    assert shown[0].event == "reset"
    assert json.loads(shown[0].data)["source"] == "table/a"
    assert [json.loads(frame.data)["source"] for frame in shown if frame.id] == ["table/b"] * 2


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ([], 400, "of"),
        ([("of", "a")], 400, "of"),
        ([("of", "table/a")] * 2, 400, "of"),
        ([("of", f"table/{number}") for number in range(33)], 400, "of"),
        ([("of", "table/none")], 404, ""),
        ([("of", "table/a"), ("after", "1-1,1-2")], 400, "after"),
        ([("of", "table/a"), ("after", "1")], 400, "after"),
    ],
)
async def test_several_of_what_makes_no_sense(
    house: House, query: list[tuple[str, str]], status: int, field: str
) -> None:
    response = await house.client.get("/v1/stream", params=query)
    told = await problem(response)
    assert (told[0], told[2]) == (status, field)


async def test_a_document_of_several(house: House) -> None:
    await house.write("b", *opened(), CLOSED)
    query = [("of", "table/a"), ("of", "table/b"), ("format", "json")]
    document = await (await house.client.get("/v1/stream", params=query)).json()
    assert document["ended"]
    assert sum(entry.get("source") == "table/b" and "at" in entry for entry in document["entries"]) == 3
    assert document["cursor"] == f"{cursors(15)[0]},{cursors(3)[0]}"


async def test_a_server_that_stops_sends_everyone_away_with_a_time_to_come_back(house: House) -> None:
    await house.write("b", *opened())
    queries = [{"of": "table/b"}, {"of": "table/b", "format": "ndjson"}]
    watching = [asyncio.create_task(read(house, query)) for query in queries]
    broadcast = house.client.app[keys.BROADCAST]
    while broadcast.spectators("table/b") < len(watching):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.001)
    await broadcast.close()
    events, lines = await asyncio.gather(*watching)
    assert b"retry: " in events
    assert json.loads(lines.splitlines()[-1])["type"] == "retry"


async def read(house: House, query: dict[str, str]) -> bytes:
    async with house.client.get("/v1/stream", params=query) as response:
        return await response.read()


# What has addresses of its own, too


async def test_a_thread_by_its_path_is_what_its_live_stream_is(house: House) -> None:
    say = {"text": "Hello there.", "rate": 0, "ttft": 0}
    ask = {"panel": [{"name": "Ada", "model": "scripted:ada", "options": say}], "message": "Hi."}
    thread = (await (await house.client.post("/v1/threads", json=ask)).json())["id"]

    async def until_complete(path: str) -> list[sse.Frame]:
        seen = list[sse.Frame]()
        async with house.client.get(path) as response:
            async for frame in frames(response):
                seen.append(frame)
                if frame.event == "message.complete":
                    break
        return seen

    live = await until_complete(f"/v1/threads/{thread}/live")
    assert await until_complete(f"/v1/stream/thread/{thread}") == live
    (joined,) = (await house.document(f"/thread/{thread}", types="message.delta", coalesce=1))["entries"]
    assert joined["text"] == "Hello there."
    assert (await problem(await house.reading("/thread/a")))[0] == 404


async def test_what_an_application_posts_is_followed_in_any_view(house: House) -> None:
    for name in ("build.finished", "build.failed"):
        response = await house.client.post("/v1/stream/platform/ci", json={"type": name, "data": {"n": 1}})
        assert response.status == 201
    posted = await house.document("/platform/ci", types="event.posted", enrich="elapsed")
    assert [entry["name"] for entry in posted["entries"]] == ["build.finished", "build.failed"]
    query = [("of", "platform/ci"), ("of", "system/all"), ("format", "json")]
    document = await (await house.client.get("/v1/stream", params=query)).json()
    assert {entry["source"] for entry in document["entries"]} == {"platform/ci", "system/all"}


async def test_an_invocation_that_is_not_recorded_streams_while_it_lasts(house: House) -> None:
    slow = {"model": "scripted:ada", "prompt": "Why?", "options": {"text": "One two.", "ttft": 3600}}
    ask = {"tool": "complete", "args": slow, "record": False}
    async with house.client.post("/invoke", json=ask) as response:
        init = json.loads((await anext(frames(response))).data)
        first = await house.document(f"/invocation/{init['id']}")
    assert [entry["type"] for entry in first["entries"]] == ["init"]
