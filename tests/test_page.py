"""The page and the headers that every answer carries."""

import asyncio
from pathlib import Path

import pytest

from roundtable.edge import page
from tests.serving import TABLES, Client, Connect, serve


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    web_folder = tmp_path / "web"
    (web_folder / "assets").mkdir(parents=True)
    (web_folder / "index.html").write_text("<!doctype html><title>Stage</title>")
    (web_folder / "assets" / "index-1a2b.js").write_text("1")
    (web_folder / "secret.txt").write_text("not to be seen")
    monkeypatch.setattr(page, "WEB", web_folder)
    return web_folder


@pytest.mark.parametrize("path", ["/", "/t/0000000000000000"])
async def test_the_page_is_asked_for_each_time_by_etag(bundle: Path, client: Client, path: str) -> None:
    response = await client.get(path)
    assert (response.status, response.content_type) == (200, "text/html")
    assert response.headers["Cache-Control"] == "no-cache"
    again = await client.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status == 304


async def test_assets_are_kept_for_ever(bundle: Path, client: Client) -> None:
    response = await client.get("/assets/index-1a2b.js")
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "..%5csecret.txt", ".hidden", "", ".", "a/b",
             "%00", "nope.js", "/etc/passwd", "%252e%252e%252fsecret.txt"],
)  # fmt: skip
async def test_nothing_outside_the_bundle_is_served(bundle: Path, client: Client, path: str) -> None:
    host, port = client.server.host, client.server.port
    reader, writer = await asyncio.open_connection(host, port)  # as it stands: a client would tidy the path
    writer.write(f"GET /assets/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.split(b" ", 2)[1] in (b"404", b"400")
    assert b"not to be seen" not in answer


async def test_without_a_bundle_it_says_what_to_do(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "WEB", tmp_path / "nowhere")
    response = await client.get("/")
    assert response.status == 503
    assert "make web" in await response.text()


@pytest.mark.parametrize("path", ["/", TABLES, "/nowhere", "/healthz"])
async def test_every_answer_carries_the_headers(bundle: Path, client: Client, path: str) -> None:
    response = await client.get(path)
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in response.headers
