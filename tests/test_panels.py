"""Panels that are kept under a name: saved, convened, replaced, deleted; the configuration's beside them."""

from pathlib import Path
from typing import Any

import pytest

from protocol.messages import Limits, Panelist
from roundtable.config import Panel
from tests.serving import QUICK, TABLES, Client, Connect, frames, problem, serve

ADA, BEN = {**QUICK, "role": ""}, {**QUICK, "name": "Ben"}
REVIEW = {"panel": [ADA, BEN], "policy": "parallel", "limits": {"max_rounds": 2}, "until": {"passes": True}}
HOUSE = Panel(panel=(Panelist("Cleo", "scripted:cleo"),), policy="floor_time", limits=Limits(max_turns=2))


@pytest.fixture
async def client(tmp_path: Path, aiohttp_client: Connect) -> Client:
    return await serve(aiohttp_client, data=tmp_path, panels={"house": HOUSE})


async def listed(client: Client) -> list[tuple[str, str]]:
    async with client.get("/v1/panels") as response:
        return [(each["name"], each["source"]) for each in (await response.json())["panels"]]


async def convened(client: Client, **body: Any) -> dict[str, Any]:
    response = await client.post(TABLES, json={"topic": "Why?", **body})
    assert response.status == 201, await response.text()
    table = (await response.json())["id"]
    await frames(client, table)
    async with client.get(f"{TABLES}/{table}") as response:
        found: dict[str, Any] = (await response.json())["transcript"]
        return found


async def test_a_panel_is_saved_convened_replaced_and_deleted(client: Client) -> None:
    assert await listed(client) == [("house", "config")]
    response = await client.put("/v1/panels/review", json=REVIEW)
    assert response.status == 200
    kept = await response.json()
    assert (kept["policy"], kept["limits"]["max_rounds"], kept["verdict"]) == ("parallel", 2, None)
    assert await listed(client) == [("house", "config"), ("review", "saved")]

    table = await convened(client, saved="review")
    assert [seat["name"] for seat in table["panel"]] == ["Ada", "Ben"]
    assert (table["policy"], table["ended_reason"], table["until"]["passes"]) == (
        "parallel",
        "max_rounds",
        True,
    )
    table = await convened(client, saved="review", policy="round_robin", limits={"max_turns": 1})
    assert (table["policy"], table["spent"]["turns"]) == ("round_robin", 1)

    await client.put("/v1/panels/review", json={"panel": [ADA], "limits": {"max_turns": 1}})
    async with client.get("/v1/panels/review") as response:
        assert [seat["name"] for seat in (await response.json())["panel"]] == ["Ada"]
    assert (await client.delete("/v1/panels/review")).status == 204
    assert await listed(client) == [("house", "config")]
    response = await client.post(TABLES, json={"topic": "Why?", "saved": "review"})
    assert await problem(response) == (400, "invalid", "saved")


async def test_the_configurations_are_convened_and_not_changed(client: Client) -> None:
    table = await convened(client, saved="house")
    assert (table["policy"], table["panel"][0]["name"], table["spent"]["turns"]) == ("floor_time", "Cleo", 2)
    assert (await client.put("/v1/panels/house", json=REVIEW)).status == 409
    assert (await client.put("/v1/panels/default", json=REVIEW)).status == 409
    assert (await client.delete("/v1/panels/house")).status == 409


async def test_they_are_there_after_a_restart(tmp_path: Path, aiohttp_client: Connect) -> None:
    first = await serve(aiohttp_client, data=tmp_path)
    await first.put("/v1/panels/review", json=REVIEW)
    await first.close()
    second = await serve(aiohttp_client, data=tmp_path)
    assert await listed(second) == [("review", "saved")]


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("review", {"panel": []}, "panel"),
        ("review", {"panel": [{**ADA, "model": "nobody"}]}, "panel[0].model"),
        ("review", {"panel": [ADA], "policy": "shouting"}, "policy"),
        ("review", {"panel": [ADA], "limits": {"max_turns": 0}}, "limits.max_turns"),
        ("review", {"panel": [ADA], "topic": "Why?"}, "topic"),
        ("-x", {"panel": [ADA]}, "name"),
    ],
)
async def test_what_could_not_be_convened_is_not_saved(
    client: Client, name: str, body: dict[str, Any], field: str
) -> None:
    assert (await problem(await client.put(f"/v1/panels/{name}", json=body)))[2] == field
    assert await listed(client) == [("house", "config")]


async def test_who_asks_for_none_that_there_is_is_told(client: Client) -> None:
    assert (await client.get("/v1/panels/nobody")).status == 404
    assert (await client.delete("/v1/panels/nobody")).status == 404
