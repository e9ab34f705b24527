"""Who may come in: the secret, the session, the name the server is called by, the page that asks."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from protocol.errors import Invalid
from roundtable.config import Config
from roundtable.edge import app as edge
from roundtable.edge import problems
from roundtable.edge.auth import COOKIE, GUESSES_AT_ONCE, PUBLIC, SESSION_FOR, Door

SECRET = "correct horse"
JSON = {"Content-Type": "application/json"}

Client = TestClient[web.Request, web.Application]
Start = Callable[..., Awaitable[Client]]


@pytest.fixture
def start(aiohttp_client: Callable[[TestServer], Awaitable[Client]]) -> Start:
    """Starts a server of one private and one public address, guarded by a `Door`."""

    async def start(config: Config, clock: Callable[[], float] = lambda: 1_000.0) -> Client:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text="in")

        door = Door(config, clock=clock)
        app = web.Application(middlewares=[problems.middleware, door.middleware])
        for path in ("/v1/roundtables", "/healthz"):
            app.router.add_route("*", path, answer)
        app.router.add_post("/v1/session", door.session)
        return await aiohttp_client(TestServer(app))

    return start


async def code(response: ClientResponse) -> tuple[int, str]:
    return response.status, (await response.json())["code"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "example.org"])
def test_without_a_secret_there_is_only_loopback(host: str) -> None:
    with pytest.raises(Invalid, match="ROUNDTABLE_SECRET") as caught:
        Door(Config(host=host))
    assert caught.value.field == "host"
    Door(Config(host=host, secret=SECRET))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_on_loopback_no_secret_is_needed(host: str) -> None:
    Door(Config(host=host))


async def test_without_a_secret_everyone_here_is_in(start: Start) -> None:
    client = await start(Config())
    assert (await client.get("/v1/roundtables")).status == 200
    response = await client.post("/v1/session", data=b'{"secret":"x"}', headers=JSON)
    assert response.status == 204
    assert COOKIE not in response.cookies


async def test_a_secret_is_asked_for_all_but_public_addresses(start: Start) -> None:
    client = await start(Config(secret=SECRET))
    refused = await client.get("/v1/roundtables")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="roundtable"'
    assert await code(refused) == (401, "unauthorized")
    assert (await client.get("/nowhere")).status == 401
    assert (await client.get("/healthz")).status == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_the_secret_opens(start: Start, scheme: str) -> None:
    client = await start(Config(secret=SECRET))
    response = await client.get("/v1/roundtables", headers={"Authorization": f"{scheme} {SECRET}"})
    assert response.status == 200


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Bearer ", "Bearer", f"Basic {SECRET}", SECRET, "Bearer \udcff"]
)
async def test_anything_else_does_not(start: Start, given: str) -> None:
    client = await start(Config(secret=SECRET))
    response = await client.get("/v1/roundtables", headers={"Authorization": given})
    assert await code(response) == (401, "unauthorized")


async def test_the_secret_becomes_a_session(start: Start) -> None:
    client = await start(Config(secret=SECRET))
    wrong = await client.post("/v1/session", data=b'{"secret":"wrong"}', headers=JSON)
    assert await code(wrong) == (401, "unauthorized")
    response = await client.post("/v1/session", json={"secret": SECRET})
    cookie = response.cookies[COOKIE]
    assert response.status == 204
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["max-age"]) == ("Strict", str(SESSION_FOR))
    assert SECRET not in cookie.value
    assert (await client.get("/v1/roundtables", headers={"Cookie": f"{COOKIE}={cookie.value}"})).status == 200


async def test_a_session_ends_and_cannot_be_prolonged(start: Start) -> None:
    now = [1_000.0]
    client = await start(Config(secret=SECRET), lambda: now[0])
    token = (await client.post("/v1/session", json={"secret": SECRET})).cookies[COOKIE].value
    client.session.cookie_jar.clear()
    until, _, proof = token.partition(".")
    now[0] += SESSION_FOR
    for forged in (token, f"{int(until) + 9}.{proof}", f"{until}.", ".", "", "x.y", f"{until}.{'0' * 64}"):
        response = await client.get("/v1/roundtables", headers={"Cookie": f"{COOKIE}={forged}"})
        assert response.status == 401, forged


async def test_a_session_of_another_secret_is_none(start: Start) -> None:
    first = await start(Config(secret="other"))
    token = (await first.post("/v1/session", json={"secret": "other"})).cookies[COOKIE].value
    second = await start(Config(secret=SECRET))
    assert (await second.get("/v1/roundtables", headers={"Cookie": f"{COOKIE}={token}"})).status == 401


async def test_guessing_is_slowed_down_and_sessions_are_not(start: Start) -> None:
    client = await start(Config(secret=SECRET))
    token = (await client.post("/v1/session", json={"secret": SECRET})).cookies[COOKIE].value
    client.session.cookie_jar.clear()
    for _ in range(GUESSES_AT_ONCE):
        assert (await client.get("/v1/roundtables", headers={"Authorization": "Bearer guess"})).status == 401
    # Now even the right one is not looked at, or guessing would go on.
    response = await client.get("/v1/roundtables", headers={"Authorization": f"Bearer {SECRET}"})
    assert int(response.headers["Retry-After"]) >= 1
    assert await code(response) == (429, "too_many_requests")
    assert (await client.get("/v1/roundtables", headers={"Cookie": f"{COOKIE}={token}"})).status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:80", "localhost.", "table.example"]
)
async def test_names_the_server_goes_by(start: Start, host: str) -> None:
    client = await start(Config(allowed_hosts=("Table.Example",)))
    assert (await client.get("/v1/roundtables", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.168.1.5", "", "[::1", "127.0.0.1.nip.io"]
)
async def test_a_rebound_name_is_refused(start: Start, host: str) -> None:
    client = await start(Config())
    assert await code(await client.get("/v1/roundtables", headers={"Host": host})) == (421, "misdirected")


async def test_on_all_addresses_any_address_is_a_name_of_ours(start: Start) -> None:
    client = await start(Config(host="0.0.0.0", secret=SECRET))
    assert (await client.get("/healthz", headers={"Host": "192.168.1.5:80"})).status == 200
    assert (await client.get("/healthz", headers={"Host": "evil.example"})).status == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://localhost:1", "http://["])
async def test_a_page_of_another_site_changes_nothing(start: Start, origin: str) -> None:
    client = await start(Config())
    headers = {"Origin": origin, "Host": "localhost:80"}
    assert await code(await client.post("/v1/roundtables", headers=headers)) == (403, "foreign_origin")
    assert (await client.get("/v1/roundtables", headers=headers)).status == 200


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "x, websocket"])
async def test_a_page_of_another_site_opens_no_socket(start: Start, upgrade: str) -> None:
    client = await start(Config(secret=SECRET))
    cookie = (await client.post("/v1/session", json={"secret": SECRET})).cookies[COOKIE].value
    headers = {"Origin": "http://evil.example", "Host": "localhost:80", "Cookie": f"{COOKIE}={cookie}"}
    headers |= {"Upgrade": upgrade, "Connection": "Upgrade"}
    assert await code(await client.get("/v1/roundtables", headers=headers)) == (403, "foreign_origin")
    headers["Origin"] = "http://localhost:80"
    assert (await client.get("/v1/roundtables", headers=headers)).status == 200


@pytest.mark.parametrize("origin", ["http://localhost:80", "https://LOCALHOST:80", "https://friend.example"])
async def test_our_page_and_friends_may(start: Start, origin: str) -> None:
    client = await start(Config(allowed_origins=("https://friend.example/",)))
    headers = {"Origin": origin, "Host": "localhost:80"}
    assert (await client.post("/v1/roundtables", headers=headers)).status == 200


async def test_every_address_of_the_server_is_guarded(
    aiohttp_client: Callable[[TestServer], Awaitable[Client]], tmp_path: Path
) -> None:
    server = edge.build(Config(data=tmp_path, secret=SECRET))
    client = await aiohttp_client(TestServer(server))
    known = {"Authorization": f"Bearer {SECRET}"}
    foreign = {**known, "Origin": "https://evil.example", "Upgrade": "websocket"}
    for route in server.router.routes():
        assert route.resource
        kind, pattern = route.method, route.resource.canonical
        path = re.sub(r"\{\w+\}", "thread-x" if pattern.startswith("/v1/threads") else "x", pattern)
        if pattern not in PUBLIC:
            async with client.request(kind, path) as response:
                assert response.status == 401, (kind, path)
        if pattern not in PUBLIC or kind == "POST":
            async with client.request(kind, path, headers=foreign) as response:
                assert response.status == 403, (kind, path)
    assert {route.resource.canonical for route in server.router.routes() if route.resource} >= PUBLIC
