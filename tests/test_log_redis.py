"""What only Redis does: dying, hanging, refusing, forgetting, being shared. The contract itself is in `test_log.py`."""

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from protocol.cursor import LIMIT, ZERO, Cursor
from protocol.errors import Conflict, Invalid, LogDamaged, LogError, LogUnavailable
from roundtable.log import buffer, redis_follower, redis_writer
from roundtable.log.base import Checkpoint, Record, Tail
from roundtable.log.opening import open_log
from roundtable.log.redis import RedisLog
from roundtable.log.redis_errors import translate
from roundtable.log.redis_keys import PARTITIONS, partition
from roundtable.log.split import SplitLog
from tests.redis_server import RedisServer, open_fresh, shared
from tests.test_log import TABLE, batch, everything, take, write

KEY = partition(TABLE).log(TABLE)
# Streams of the same partition.
NEIGHBOURS = [name for name in (f"table/{i}" for i in range(200)) if partition(name) == partition(TABLE)]
# Seconds until a server that hangs is given up, where a test waits for that; it does so with nothing else to do.
IMPATIENT = 0.3


@pytest.fixture
def launch() -> Iterator[Callable[..., RedisServer]]:
    """Starts servers of the test's own, with further settings."""
    with contextlib.ExitStack() as stack:

        def launch(*settings: str) -> RedisServer:
            # A short path: that of a unix socket has at most 107 characters.
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="rt-"))
            server = RedisServer(Path(directory), *settings)
            stack.callback(server.kill)
            return server

        yield launch


@pytest.fixture
async def nodes() -> AsyncIterator[tuple[RedisLog, RedisLog]]:
    """Two nodes at one empty server."""
    shared().run("FLUSHALL")
    async with opened(shared().url) as one, opened(shared().url) as other:
        yield one, other


@contextlib.asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[RedisLog]:
    log = await RedisLog.open(url, **options)
    try:
        yield log
    finally:
        await log.close()


async def settle(log: RedisLog, stream: str, after: Cursor, records: list[Record]) -> None:
    """Append as an owner does whose store comes and goes: the same batch until its outcome is known."""
    async with asyncio.timeout(30):
        while True:
            try:
                await log.append(stream, after, records)
                return
            except LogUnavailable:
                await asyncio.sleep(0.005)  # as in life; nothing is awaited by it


async def follow(tail: Tail, count: int) -> tuple[list[Record], list[LogError]]:
    """The next `count` records, iterating on after each error, and those errors."""
    seen: list[Record] = []
    errors: list[LogError] = []
    async with asyncio.timeout(30):
        while len(seen) < count:
            try:
                seen += (await anext(aiter(tail)))[1]
            except LogError as error:
                errors.append(error)
    return seen, errors


# -- a server that dies, hangs, or hangs up ----------------------------------------------------------------------


async def test_what_was_acknowledged_survives_every_kill(launch: Callable[..., RedisServer]) -> None:
    server = launch("--appendfsync", "always")
    streams = [f"table/{i}" for i in range(4)]
    enough = asyncio.Event()
    written: dict[str, list[Record]] = {stream: [] for stream in streams}

    async def append_forever(stream: str) -> None:
        after = ZERO
        while not enough.is_set():
            records = batch(after, *(b"%d" % after.seq for _ in range(1 + after.seq % 7)))
            await settle(log, stream, after, records)
            written[stream] += records
            after = records[-1].cursor

    async with opened(server.url) as log:
        tail = await log.tail()
        for stream in streams:
            await tail.add(stream, ZERO)
        owners = [asyncio.create_task(append_forever(stream)) for stream in streams]
        for life in (50, 700, 5):
            await follow(tail, life)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        enough.set()
        await asyncio.gather(*owners)
        for stream in streams:
            assert await everything(log, stream) == written[stream]
            assert [record.cursor.seq for record in written[stream]] == list(
                range(1, len(written[stream]) + 1)
            )


async def test_a_tail_goes_on_over_a_kill_without_a_gap_or_a_repeat(
    launch: Callable[..., RedisServer],
) -> None:
    server = launch()
    async with opened(server.url) as log:
        tail = await log.tail()
        await tail.add(TABLE, ZERO)
        first = await write(log, TABLE, 5)
        assert await follow(tail, 5) == (first, [])
        await asyncio.to_thread(server.kill)
        with pytest.raises(LogUnavailable):
            await anext(aiter(tail))  # so that its reader asks whether the log still holds what was shown
        await asyncio.to_thread(server.start)
        more = batch(first[-1].cursor, b"a", b"b")
        await settle(log, TABLE, first[-1].cursor, more)
        assert (await follow(tail, 2))[0] == more


async def test_a_server_that_hangs_is_unavailable_and_works_again(launch: Callable[..., RedisServer]) -> None:
    server = launch()
    async with opened(server.url, deadline=IMPATIENT) as log:
        tail = await log.tail()
        await tail.add(TABLE, ZERO)
        first = await write(log, TABLE, 3)
        assert await follow(tail, 3) == (first, [])
        place = first[-1].cursor
        with server.stopped():
            attempts = [
                log.append(TABLE, place, batch(place, b"x")),
                log.append("table/other", ZERO, batch(ZERO, b"x")),
                *(log.read(TABLE, 0) for _ in range(10)),  # more than there are connections
                log.leases.abandoned(),
                anext(aiter(tail)),
            ]
            refusals = await asyncio.gather(*attempts, return_exceptions=True)
        assert [type(refusal) for refusal in refusals] == [LogUnavailable] * len(attempts)
        assert "does not answer" in str(refusals[0])
        await settle(log, TABLE, place, batch(place, b"x"))  # written before or now, but once
        assert (await follow(tail, 1))[0] == batch(place, b"x")
        assert len(await everything(log, TABLE)) == 4


async def test_what_waits_behind_a_hanging_server_is_bounded(
    launch: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_writer, "MAX_WAITING", 100_000)
    server = launch()
    async with opened(server.url, deadline=IMPATIENT) as log:
        with server.stopped():
            appends = [
                asyncio.create_task(log.append(f"table/{i}", ZERO, batch(ZERO, b"x" * 50_000)))
                for i in range(6)
            ]
            await asyncio.sleep(0)
            assert log._writer._size < 200_000
            with pytest.raises(LogUnavailable):
                await appends[0]
        for append in appends:
            with contextlib.suppress(LogUnavailable):
                await append
        assert log._writer._size == 0


async def test_connections_that_were_cut_are_made_anew(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, _ = nodes
    tail = await log.tail()
    await tail.add(TABLE, ZERO)
    written: list[Record] = []
    for _ in range(5):
        place = written[-1].cursor if written else ZERO
        records = batch(place, b"x", b"y")
        await settle(log, TABLE, place, records)
        written += records
        shared().run("CLIENT", "KILL", "TYPE", "normal")
    assert (await follow(tail, 10))[0] == written


async def test_a_server_that_forgot_the_scripts_is_sent_them_again(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, _ = nodes
    written = await write(log, TABLE, 1)
    shared().run("SCRIPT", "FLUSH")
    more = batch(written[0].cursor, b"a")
    other = batch(ZERO, b"b")
    await asyncio.gather(log.append(TABLE, written[0].cursor, more), log.append("table/2", ZERO, other))
    assert await everything(log, TABLE) == written + more
    assert await everything(log, "table/2") == other


async def test_a_cancelled_reader_does_not_confuse_the_next(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, _ = nodes
    await write(log, TABLE, 1)
    other = await write(log, "table/other", 1)
    for _ in range(10):
        reading = asyncio.create_task(log.last(TABLE))
        for _ in range(3):
            await asyncio.sleep(0)  # the question is under way
        reading.cancel()
        await asyncio.wait([reading])
        assert await log.last("table/other") == other[0]


async def test_an_append_that_is_cancelled_takes_no_other_with_it(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, _ = nodes
    records = batch(ZERO, b"x")
    first, *others = (asyncio.create_task(log.append(f"table/{i}", ZERO, records)) for i in range(5))
    await asyncio.sleep(0)  # the first is under way, the others wait behind it
    first.cancel()
    assert await asyncio.gather(*others) == ["appended"] * 4
    await asyncio.wait([first])
    assert first.cancelled()
    assert log._writer._size == 0
    await settle(log, "table/0", ZERO, records)
    assert await everything(log, "table/0") == records


async def test_closing_waits_for_what_is_under_way(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, other = nodes
    records = batch(ZERO, b"x")
    appends = [asyncio.create_task(log.append(f"table/{i}", ZERO, records)) for i in range(5)]
    await asyncio.sleep(0)
    await log.close()
    assert await asyncio.gather(*appends) == ["appended"] * 5
    assert await everything(other, "table/4") == records


@pytest.mark.skipif(
    not shutil.which("openssl"), reason="openssl is not installed, which makes the certificate"
)
async def test_an_encrypted_connection_is_trusted_only_by_its_certificate(
    launch: Callable[..., RedisServer], tmp_path: Path, unused_tcp_port: int
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    launch(
        *("--tls-port", str(unused_tcp_port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
    )
    url = f"rediss://localhost:{unused_tcp_port}"
    async with opened(f"{url}?ssl_ca_certs={certificate}") as log:
        tail = await log.tail()
        await tail.add(TABLE, ZERO)
        written = batch(ZERO, b"x" * 100_000, b"y")  # more than one record of TLS
        await log.append(TABLE, ZERO, written)
        assert await take(tail, 2) == [(TABLE, record) for record in written]
    assert "not trusted" in (await refusal(url)).detail


async def test_after_closing_everything_is_refused() -> None:
    log = await RedisLog.open(shared().url)
    tail = await log.tail()
    await tail.add(TABLE, ZERO)
    await log.close()
    await log.close()
    for attempt in (log.append(TABLE, ZERO, batch(ZERO, b"")), log.last(TABLE), log.leases.abandoned()):
        with pytest.raises(LogUnavailable, match="closed"):
            await attempt
    assert [item async for item in tail] == []


# -- one server, many nodes --------------------------------------------------------------------------------------


async def test_of_two_nodes_that_race_for_each_place_one_wins(nodes: tuple[RedisLog, RedisLog]) -> None:
    place = ZERO
    written: list[Record] = []
    for _ in range(50):
        rivals = [batch(place, b"%d" % number, b"!") for number in range(2)]
        outcomes = await asyncio.gather(
            *(node.append(TABLE, place, rival) for node, rival in zip(nodes, rivals, strict=True)),
            return_exceptions=True,
        )
        [winner] = [rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome == "appended"]
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1
        written += winner
        place = winner[-1].cursor
    assert await everything(nodes[0], TABLE) == written


async def test_nodes_follow_each_other(nodes: tuple[RedisLog, RedisLog]) -> None:
    streams = [f"table/{i}" for i in range(30)]  # several of them in each partition
    tails = [await node.tail() for node in nodes]
    written = await asyncio.gather(*(write(nodes[i % 2], stream, 5) for i, stream in enumerate(streams)))
    for tail in tails:
        for stream in streams:
            await tail.add(stream, ZERO)
    more = await asyncio.gather(
        *(
            write(nodes[i % 2], s, 20, w[-1].cursor)
            for i, (s, w) in enumerate(zip(streams, written, strict=True))
        )
    )
    expected = {s: [*w, *m] for s, w, m in zip(streams, written, more, strict=True)}
    for tail in tails:
        seen: dict[str, list[Record]] = {stream: [] for stream in streams}
        for stream, record in await take(tail, 25 * len(streams)):
            seen[stream].append(record)
        assert seen == expected


async def test_a_stream_that_joins_ends_a_blocked_read(
    nodes: tuple[RedisLog, RedisLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_follower, "BLOCK", 60.0)  # longer than this test waits
    tail = await nodes[0].tail()
    await tail.add(TABLE, ZERO)
    for stream in NEIGHBOURS[:3]:
        async with asyncio.timeout(30):
            while "flags=b" not in str(shared().run("CLIENT", "LIST")):  # noqa: ASYNC110 - only Redis knows
                await asyncio.sleep(0)
        await tail.add(stream, ZERO)
        written = await write(nodes[1], stream, 1)
        assert await take(tail, 1) == [(stream, written[0])]


async def test_a_deletion_is_heard_on_every_node_and_only_by_who_followed_then(
    nodes: tuple[RedisLog, RedisLog],
) -> None:
    before = [await node.tail() for node in nodes]
    for tail in before:
        await tail.add(TABLE, ZERO)
    first = await write(nodes[0], TABLE, 2)
    for tail in before:
        assert await take(tail, 2) == [(TABLE, record) for record in first]
    await nodes[1].delete(TABLE)
    after = await nodes[0].tail()
    await after.add(TABLE, ZERO)  # perhaps before the notice of the earlier deletion was read
    again = await write(nodes[1], TABLE, 1)
    assert await take(after, 1) == [(TABLE, again[0])]
    async with asyncio.timeout(30):
        for tail in before:
            assert await anext(aiter(tail)) == (TABLE, [])
    await before[0].add(TABLE, ZERO)
    assert await take(before[0], 1) == [(TABLE, again[0])]


async def test_deletion_leaves_nothing_but_a_bounded_notice(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, _ = nodes
    for number in range(1300):
        stream = f"table/{number % 3 or number}"
        written = await write(log, stream, 1)
        if number % 100 == 0:
            await log.save_checkpoint(stream, Checkpoint(written[0].cursor, b"fold"))
            await log.leases.claim([stream], "node", 60)
        await log.delete(stream)
    left = {key.decode() for key in shared().run("KEYS", "*")} - {"rt:format"}
    assert left == {home for home in left if home.endswith(":deleted")}
    home = partition("table/1").deleted
    assert shared().run("XLEN", home) < 1200


# -- leases ------------------------------------------------------------------------------------------------------


async def test_leases_outlive_their_holder_and_the_server(launch: Callable[..., RedisServer]) -> None:
    server = launch("--appendfsync", "always")
    streams = {f"table/{i}" for i in range(40)}
    async with opened(server.url) as log:
        assert await log.leases.claim(streams, "one", 3600) == streams
        assert await log.leases.claim(["table/gone"], "one", 0) == {"table/gone"}
    server.kill()
    server.start()
    async with opened(server.url) as log:
        assert await log.leases.claim(streams, "two", 3600) == set()
        assert await log.leases.abandoned() == ["table/gone"]
        await log.leases.release("table/1", "two")  # not its own
        assert await log.leases.claim(streams, "one", 0) == streams
        assert set(await log.leases.abandoned()) == streams | {"table/gone"}
        assert len(await log.leases.abandoned(limit=7)) == 7
        assert await log.leases.claim(streams, "two", 3600) == streams
        assert await log.leases.abandoned() == ["table/gone"]


# -- what somebody did to the store ------------------------------------------------------------------------------


async def test_a_stream_that_lost_its_tail_ends_earlier(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, _ = nodes
    written = await write(log, TABLE, 3)
    shared().run("XDEL", KEY, "1-3")
    assert await log.last(TABLE) == written[1]
    with pytest.raises(Conflict):
        await log.append(TABLE, written[2].cursor, batch(written[2].cursor, b"on"))
    again = batch(
        written[1].cursor, b"again", b"and on"
    )  # the same place and term: Redis alone would refuse it
    assert await log.append(TABLE, written[1].cursor, again) == "appended"
    assert await everything(log, TABLE) == written[:2] + again
    shared().run("XTRIM", KEY, "MAXLEN", 0)
    assert await log.last(TABLE) is None
    assert await log.append(TABLE, ZERO, written) == "appended"
    assert await everything(log, TABLE) == written


@pytest.mark.parametrize("lost", [["1-3"], ["1-1"], ["1-2", "1-3"]], ids=str)
async def test_a_gap_is_damage(nodes: tuple[RedisLog, RedisLog], lost: list[str]) -> None:
    log, _ = nodes
    await write(log, TABLE, 5)
    shared().run("XDEL", KEY, *lost)
    with pytest.raises(LogDamaged, match="gap"):
        await everything(log, TABLE)


@pytest.mark.parametrize(
    "entry", [("9999999999999-0", "b", "x"), ("1-3", "c", "x"), ("1-3", "b", "x", "c", "y")], ids=str
)
async def test_an_entry_of_somebody_else_is_damage(
    nodes: tuple[RedisLog, RedisLog], entry: tuple[str, ...]
) -> None:
    log, _ = nodes
    await write(log, TABLE, 2)
    shared().run("XADD", KEY, *entry)
    assert len(await log.read(TABLE, 0)) == 2
    with pytest.raises(LogDamaged):
        await log.read(TABLE, 2)
    with pytest.raises(LogDamaged):
        await log.last(TABLE)
    with pytest.raises(Conflict):
        await log.append(TABLE, Cursor(1, 2), batch(Cursor(1, 2), b"on"))


async def test_a_key_of_another_type_is_damage_and_stops_no_other_stream(
    nodes: tuple[RedisLog, RedisLog],
) -> None:
    log, _ = nodes
    neighbour = NEIGHBOURS[0]
    tail = await log.tail()
    written = await write(log, TABLE, 1)
    await tail.add(TABLE, written[0].cursor)
    await tail.add(neighbour, ZERO)
    with shared().client() as client:
        client.pipeline().delete(KEY).set(KEY, "?").execute()
    for attempt in (log.last(TABLE), log.read(TABLE, 0), log.append(TABLE, ZERO, batch(ZERO, b""))):
        with pytest.raises(LogDamaged, match="somebody else"):
            await attempt
    more = await write(log, neighbour, 1)  # wakes the read, which then meets the stranger
    async with asyncio.timeout(30):
        seen = [await anext(aiter(tail)) for _ in range(2)]
    assert sorted(seen) == sorted([(TABLE, []), (neighbour, more)])


@pytest.mark.parametrize("room", [buffer.MAX_BUFFER, 0], ids=["from memory", "from pages"])
async def test_a_tail_does_not_hide_what_a_failover_lost(
    nodes: tuple[RedisLog, RedisLog], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next owner writes past the number delivered last; looked up by number, that would seem to follow on."""
    monkeypatch.setattr("roundtable.log.buffer.MAX_BUFFER", room)
    log, _ = nodes
    written = await write(log, TABLE, 5)
    tail = await log.tail()
    await tail.add(TABLE, written[-1].cursor)
    shared().run("XDEL", KEY, "1-4", "1-5")
    new = [Record(Cursor(7, seq), b"new") for seq in range(4, 8)]
    await log.append(TABLE, written[2].cursor, new)
    assert await take(tail, 4) == [(TABLE, record) for record in new]


async def test_a_tail_survives_that_everything_was_flushed(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, _ = nodes
    tail = await log.tail()
    written = await write(log, TABLE, 3)
    await tail.add(TABLE, ZERO)
    assert await take(tail, 3) == [(TABLE, record) for record in written]
    shared().run("FLUSHALL")
    new = batch(ZERO, b"new", term=2)
    await log.append(TABLE, ZERO, new)
    assert await take(tail, 1) == [(TABLE, new[0])]


async def test_a_foreign_checkpoint_is_none(nodes: tuple[RedisLog, RedisLog]) -> None:
    log, _ = nodes
    await write(log, TABLE, 1)
    shared().run("SET", partition(TABLE).fold(TABLE), "?")
    assert await log.checkpoint(TABLE) is None
    await log.save_checkpoint(TABLE, Checkpoint(Cursor(1, 1), b"\n1-1\n"))
    assert await log.checkpoint(TABLE) == Checkpoint(Cursor(1, 1), b"\n1-1\n")


@given(
    st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 5)), min_size=1, max_size=20),
    st.booleans(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_number_is_found_among_any_terms(
    nodes: tuple[RedisLog, RedisLog], owners: list[tuple[int, int]], late: bool
) -> None:
    log, _ = nodes
    shared().run("FLUSHALL")
    written: list[Record] = []
    place = Cursor(LIMIT - sum(step for step, _ in owners), 0) if late else ZERO
    for step, count in owners:
        place = Cursor(place.term + step, place.seq)
        records = batch(place, *(b"%d" % i for i in range(count)))
        await log.append(TABLE, written[-1].cursor if written else ZERO, records)
        written += records
        place = records[-1].cursor
    for after in range(len(written) + 1):
        assert await log.read(TABLE, after, limit=3) == written[after : after + 3]


# -- what is refused ---------------------------------------------------------------------------------------------

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://localhost", "cannot be read"),
        ("redis://:s3cret/x@localhost", "cannot be read"),
        ("redis://:s3cret@localhost:port", "cannot be read"),
        ("redis://:s3cret@localhost/tables", "cannot be read"),
        ("redis://localhost?db=s3cret", "cannot be read"),
        ("unix://", "cannot be read"),
        ("redis://:s3cret@localhost?socket_timeout=1", "no parameter 'socket_timeout'"),
        ("redis://localhost?pasword=s3cret", "no parameter 'pasword'"),
    ],
)
async def test_a_url_that_cannot_be_meant_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint) as refusal:
        await RedisLog.open(url)
    assert SECRET not in str(refusal.value)


async def refusal(url: str, **options: Any) -> LogUnavailable:
    with pytest.raises(LogUnavailable) as caught:
        await RedisLog.open(url, **options)
    assert SECRET not in caught.value.detail
    return caught.value


async def test_a_server_that_is_not_there_is_refused(tmp_path: Path, unused_tcp_port: int) -> None:
    missing = await refusal(f"unix://{tmp_path}/none.sock")
    assert f"{tmp_path}/none.sock" in missing.detail
    assert missing.retryable
    deaf = await refusal(f"redis://:{SECRET}@127.0.0.1:{unused_tcp_port}/3")
    assert f"127.0.0.1:{unused_tcp_port} db 3 cannot be used" in deaf.detail


async def test_passwords_and_rights_are_asked_for(launch: Callable[..., RedisServer]) -> None:
    port = free_port()
    server = launch("--port", str(port))
    admin: Any = server.client()
    admin.config_set("requirepass", SECRET)
    assert "wants a password" in (await refusal(server.url)).detail
    for url in (f"redis://:wrong@127.0.0.1:{port}", f"unix://ada:{SECRET}@{server.url[7:]}"):
        wrong = await refusal(url)
        assert "refuses the URL's user name or password" in wrong.detail
        assert not wrong.retryable
    with admin:
        admin.execute_command("ACL", "SETUSER", "ada", "on", f">{SECRET}", "~rt:*", "+@all", "-info")
        ada = f"redis://ada:{SECRET}@127.0.0.1:{port}"
        assert "does not permit its user" in (await refusal(ada)).detail
        for denied in ("xadd", "evalsha", "xread", "zadd"):
            admin.execute_command("ACL", "SETUSER", "ada", "+@all", f"-{denied}")
            refused = await refusal(ada)
            assert "does not permit its user" in refused.detail
            assert not refused.retryable
        admin.execute_command("ACL", "SETUSER", "ada", "resetkeys", "~other:*", "+@all")
        assert "does not permit its user" in (await refusal(ada)).detail
        # What the README names is enough.
        admin.execute_command("ACL", "SETUSER", "ada", "reset", "on", f">{SECRET}", "~rt:*", *RIGHTS)
    async with opened(ada) as log, opened(ada) as other:
        tail = await other.tail()
        await tail.add(TABLE, ZERO)
        written = await write(log, TABLE, 3)
        assert await take(tail, 3) == [(TABLE, record) for record in written]
        shared_leases = await log.leases.claim([TABLE], "node", 1)
        assert shared_leases == {TABLE}
        await log.delete(TABLE)


RIGHTS = ["+@read", "+@write", "+@scripting", "+@connection", "+info", "+time"]


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [(("--appendonly", "no"), "appendonly yes"), (("--maxmemory-policy", "allkeys-lru"), "allkeys-lru")],
    ids=["no file", "evicts"],
)
async def test_a_server_that_forgets_is_refused_unless_that_is_wanted(
    launch: Callable[..., RedisServer], setting: tuple[str, str], complaint: str
) -> None:
    server = launch(*setting)
    refused = await refusal(server.url)
    assert complaint in refused.detail
    assert "redis_volatile" in refused.detail
    async with opened(server.url, volatile=True) as log:
        await write(log, TABLE, 1)


async def test_a_policy_that_evicts_only_what_expires_is_accepted(launch: Callable[..., RedisServer]) -> None:
    async with opened(launch("--maxmemory-policy", "volatile-lru").url) as log:
        await write(log, TABLE, 1)


async def test_a_cluster_is_refused(launch: Callable[..., RedisServer]) -> None:
    assert "single primary" in (await refusal(launch("--cluster-enabled", "yes").url)).detail


async def test_a_replica_is_refused_at_the_start_and_later(launch: Callable[..., RedisServer]) -> None:
    port = free_port()
    primary = launch("--port", str(port))
    replica = launch()
    async with opened(replica.url) as log:
        written = await write(log, TABLE, 1)
        replica.run("REPLICAOF", "127.0.0.1", port)
        with pytest.raises(LogUnavailable, match="read-only replica"):
            await log.append(TABLE, written[0].cursor, batch(written[0].cursor, b"x"))
        assert f"its primary, 127.0.0.1:{port}" in (await refusal(replica.url)).detail
        replica.run("REPLICAOF", "NO", "ONE")
    assert primary.url != replica.url


async def test_a_full_server_refuses_writes_and_still_reads_and_deletes(
    launch: Callable[..., RedisServer],
) -> None:
    server = launch()
    async with opened(server.url) as log:
        written = await write(log, TABLE, 3)
        server.run("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(LogUnavailable, match="memory limit"):
            await log.append(TABLE, written[-1].cursor, batch(written[-1].cursor, b"x"))
        assert "memory limit" in (await refusal(server.url)).detail
        assert await everything(log, TABLE) == written
        tail = await log.tail()
        await tail.add(TABLE, ZERO)
        assert await take(tail, 3) == [(TABLE, record) for record in written]
        await log.delete(TABLE)
        async with asyncio.timeout(30):
            assert await anext(aiter(tail)) == (TABLE, [])
        server.run("CONFIG", "SET", "maxmemory", 0)
        await write(log, TABLE, 3)


async def test_a_server_that_cannot_write_its_disk_refuses(launch: Callable[..., RedisServer]) -> None:
    server = launch()
    async with opened(server.url) as log:
        (Path(server.url[7:]).parent / "dump.rdb").mkdir()  # so that saving fails
        server.run("CONFIG", "SET", "save", "3600 1")
        server.run("BGSAVE")
        with pytest.raises(LogUnavailable, match="cannot write to its disk"):  # once its child has failed
            await write(log, TABLE, 100_000)


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ("redis_version:5.0.14", "is version 5.0, but the log needs 6.2"),
        ("redis_version:6.0.16", "is version 6.0, but the log needs 6.2"),
        ("redis_version:?", "does not tell its version"),
        ("redis_version:7.0.0\r\nredis_mode:sentinel", "single primary"),
        ("redis_version:7.0.0\r\nloading:1\r\naof_enabled:1", "still loading"),
    ],
)
async def test_what_a_server_says_of_itself_is_heeded(facts: str, complaint: str) -> None:
    async with pretender(b"$%d\r\n%b\r\n" % (len(facts), facts.encode())) as url:
        assert complaint in (await refusal(url)).detail


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "still loading"),
        (b"-ERR max number of clients reached\r\n", "max number of clients"),
        (b"-ERR \x1b[31m" + b"x" * 10_000 + b"\r\n", "cannot be used"),
        (b"HTTP/1.1 400 Bad Request\r\n", "cannot be used"),
        (b"", "cannot be used"),
    ],
)
async def test_whatever_answers_there_the_refusal_is_a_sentence(answer: bytes, complaint: str) -> None:
    async with pretender(answer) as url:
        refused = await refusal(url, deadline=5)
    assert complaint in refused.detail
    assert len(refused.detail) < 400
    assert refused.detail.isprintable()


@contextlib.asynccontextmanager
async def pretender(answer: bytes) -> AsyncIterator[str]:
    """Something that answers whatever it is asked with `answer`, and then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"redis://{host}:{port}"


@pytest.mark.parametrize(
    "code", ["READONLY", "OOM", "MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN", "CLUSTERDOWN"]
)
def test_a_code_is_found_where_redis_6_hides_it(code: str) -> None:
    plain = translate(ResponseError(f"{code} Sorry."), "there")
    wrapped = translate(
        ResponseError(f"Error running script (call to f_1): @user_script:4: -{code} Sorry."), "there"
    )
    assert plain.detail == wrapped.detail
    assert plain.detail.startswith("Redis at there ")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# -- which store -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "error", "told"),
    [("2", LogUnavailable, "newer roundtable (format 2; this one reads 1)"), ("x", LogDamaged, "rt:format")],
)
async def test_what_another_version_wrote_is_not_misread(
    found: str, error: type[LogError], told: str
) -> None:
    log = await open_fresh(Path())
    await log.close()
    assert shared().run("GET", "rt:format") == b"1"
    shared().run("SET", "rt:format", found)
    with pytest.raises(error, match=re.escape(told)):
        await RedisLog.open(shared().url)
    shared().run("FLUSHALL")


async def test_the_store_is_chosen_by_the_url(tmp_path: Path) -> None:
    shared()
    for url, kind in (("", SplitLog), (shared().url, RedisLog)):
        log = await open_log(tmp_path, url)
        assert isinstance(log, kind)
        await log.close()


def test_partitions_are_never_another() -> None:
    """A changed hash would lose every table."""
    assert PARTITIONS == 16
    assert [partition(name).number for name in ("table/one", "inbox/one", "table/two")] == [9, 14, 14]
    assert KEY == "rt:{09}:log:table/one"
