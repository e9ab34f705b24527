"""The page in Chromium against the real server: what people read is what the log says, live, reloaded and replayed."""

import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, StorageState, async_playwright, expect

from protocol.events import Entry, TableRested
from protocol.transcript import Transcript, fold
from roundtable.edge import page as bundle
from tests.server_process import PATIENCE, Server, plain, serving, whole

CHROMIUM = shutil.which("chromium")
# Root in a container has no sandbox to give, and nothing here is fetched from anywhere.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
# Where CI runs nothing may be missing: there it is started all the same, and fails.
pytestmark = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not (CHROMIUM and (bundle.WEB / "index.html").is_file()),
    reason="needs chromium on the PATH, and the page (make web)",
)

# What a word-by-word page might get wrong: paragraphs, mark-up that is none, other scripts.
TEXTS = [
    "The first word is mine, and so is the last. I count on nobody's memory but the log's, and neither should you.",
    "Two paragraphs then.\n\nThe second says <b>this</b> & that: größer, 漢字, 🎉 and on it goes to its end.",
    "I agree with neither of them, which is what a third seat at a table is there for, so let me say why I do not.",
]
# The smallest picture there is: one dot.
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# Words per second: a turn lasts more than three seconds, and a reload less.
RATE = 6
PANEL = [
    {
        "name": name,
        "model": f"scripted:{name.lower()}",
        "persona": "",
        "options": {"text": text, "rate": RATE},
    }
    for name, text in zip(("Ada", "Ben", "Cleo"), TEXTS, strict=True)
]
TOPIC = "Is a hot dog a sandwich?"
# The script as (who, what), in the order in which it is read.
READ = """() => [...document.querySelectorAll(".scroll article")].map((article) => [
  article.querySelector("h2").textContent,
  [...article.querySelectorAll(".said > .block, .message")].map((part) => part.textContent.trim()).join("\\n\\n"),
])"""
# Keeps every state of the script that was ever on the page, and tells on the console what the policy blocked.
WATCH = f"""
window.states = [];
addEventListener("securitypolicyviolation", (event) => console.error("blocked", event.violatedDirective));
new MutationObserver(() => {{
  const state = JSON.stringify(({READ})());
  if (state !== window.states.at(-1)) window.states.push(state);
}}).observe(document, {{ subtree: true, childList: true, characterData: true }});
"""

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path) as server:
        yield server


@asynccontextmanager
async def visitor(browser: Browser, server: Server, draft: object = None) -> AsyncIterator[Page]:
    """A page of somebody's own browser, whose form holds this draft. In the end nothing went wrong in it."""
    kept = {"roundtable.draft": json.dumps(draft)} if draft else {}
    state: StorageState = {
        "cookies": [],
        "origins": [
            {
                "origin": server.url,
                "localStorage": [{"name": name, "value": value} for name, value in kept.items()],
            }
        ],
    }
    context = await browser.new_context(base_url=server.url, storage_state=state)
    context.set_default_timeout(PATIENCE * 1000)
    await context.add_init_script(WATCH)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("console", lambda told: wrong.append(told.text) if told.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    assert wrong == []
    await context.close()


def script(transcript: Transcript, person: str = "Host") -> list[list[str]]:
    """What a page of this transcript must show to somebody for whom the person at it has this name."""
    told = [(turn.started_seq, [turn.panelist, turn.text]) for turn in transcript.turns if turn.started_at]
    told += [(message.seq, [person, message.text]) for message in transcript.messages]
    return [lines for _, lines in sorted(told)]


async def convene(page: Page) -> str:
    """Fill in the form whose panel is remembered, and go to the table; its id."""
    await page.goto("/")
    await page.fill("#topic", TOPIC)
    await page.get_by_role("button", name="Convene", exact=True).click()
    await page.wait_for_url("**/t/*")
    return page.url.rpartition("/")[2]


async def check_states(page: Page, final: list[list[str]]) -> int:
    """In every state that was shown each line was the beginning of its final one; the fewest lines of a state."""
    states = [json.loads(state) for state in await page.evaluate("window.states.splice(0)")]
    assert states[-1] == final
    for state in states:
        for shown, (who, text) in zip(state, final[: len(state)], strict=True):
            assert shown[0] == who
            assert text.startswith(shown[1])
    return min(map(len, states))


async def test_two_people_read_what_the_log_says(browser: Browser, server: Server) -> None:
    draft = {
        "topic": "",
        "panel": PANEL,
        "policy": "round_robin",
        "limits": {"max_rounds": 1},
        "then": "close",
    }
    async with visitor(browser, server, draft) as host, visitor(browser, server) as guest:
        table = await convene(host)
        await guest.goto(f"/t/{table}")
        await expect(guest.locator(".said.growing")).to_contain_text("The first word")
        await host.reload()  # in mid-turn
        await expect(host.locator(".said.growing")).to_contain_text("The first word")
        await guest.get_by_label("Say something").fill("And <i>toast</i>?")
        await guest.get_by_role("button", name="Say", exact=True).click()
        await expect(host.locator(".message")).to_have_text("And <i>toast</i>?")
        for page in (host, guest):
            await expect(page.locator(".ended")).to_be_visible()

        transcript = fold(await whole(server, table))
        assert await server.transcript(table) == plain(transcript)
        assert [turn.text for turn in transcript.turns] == TEXTS
        for page, name in ((host, "Host"), (guest, "You")):
            assert await page.locator("h1").inner_text() == TOPIC
            assert await page.evaluate(READ) == script(transcript, name)
            await check_states(page, script(transcript, name))

        await guest.get_by_label("Speed").select_option("8")
        await guest.get_by_role("button", name="Play", exact=True).click()
        await expect(guest.locator("header .state")).to_have_text("Replay")
        await expect(guest.locator(".transport .clock")).to_contain_text("the end")
        assert await check_states(guest, script(transcript, "You")) <= 1


async def until_rest(server: Server, table: str, times: int) -> Transcript:
    """The fold of a table up to where it rests for the n-th time."""
    entries: list[Entry] = []
    async with aclosing(server.entries(table)) as reading:
        async for entry in reading:
            entries.append(entry)
            times -= isinstance(entry.event, TableRested)
            if times == 0:
                break
    return fold(entries)


async def test_two_people_read_columns_until_one_deletes_them(browser: Browser, server: Server) -> None:
    # The first round is over before anybody comes, so that both see all of the second, however slow the machine is.
    seats = [
        seat | {"options": {"lines": ["Well.", text], "rate": 2 * RATE}}
        for seat, text in zip(PANEL, TEXTS, strict=True)
    ]
    once = {"max_rounds": 1}
    table = await server.convene(topic=TOPIC, panel=seats, policy="parallel", limits=once, then="rest")
    async with visitor(browser, server) as host, visitor(browser, server) as guest:
        for page in (host, guest):
            await page.goto(f"/t/{table}")
            await expect(page.locator("header .state")).to_have_text("Resting")
        await host.get_by_label("Say something").fill("Go on.")
        await host.get_by_role("button", name="Say", exact=True).click()
        transcript = await until_rest(server, table, times=2)
        assert [turn.text for turn in transcript.turns[3:]] == TEXTS
        for page, name in ((host, "You"), (guest, "Host")):
            await expect(page.locator(".column h2")).to_have_text(["Ada", "Ben", "Cleo"] * 2)
            await expect(page.locator("header .state")).to_have_text("Resting")
            final = script(transcript, name)
            states = [json.loads(state) for state in await page.evaluate("window.states")]
            last = [state[-1][1] for state in states if len(state) == len(final)]
            assert any(0 < len(text) < len(TEXTS[-1]) for text in last)  # they grew before our eyes
            await check_states(page, final)

        await host.get_by_role("button", name="About").click()
        await host.get_by_role("button", name="Delete this table").click()
        await host.get_by_role("button", name="Delete for good").click()
        await host.wait_for_url(f"{server.url}/")
        await expect(guest.locator("h1")).to_have_text("This table was deleted.")
        await expect(guest.locator("main")).to_contain_text(TOPIC)
        assert await server.status(table) == 404


async def test_a_person_stops_the_table_for_all(browser: Browser, server: Server) -> None:
    table = await server.convene(topic=TOPIC, panel=PANEL)
    async with visitor(browser, server) as host, visitor(browser, server) as guest:
        for page in (host, guest):
            await page.goto(f"/t/{table}")
            await expect(page.locator(".said.growing")).not_to_be_empty()
        await guest.get_by_role("button", name="More", exact=True).click()
        await guest.get_by_role("button", name="Stop…").click()
        await guest.get_by_role("button", name="Stop it").click()
        transcript = fold(await whole(server, table))
        assert (transcript.status, transcript.ended_reason) == ("closed", "command")
        for page in (host, guest):
            await expect(page.locator(".ended")).to_contain_text("Ended by a person.")
            await check_states(page, script(transcript))


async def test_a_fork_is_made_from_a_turn_and_set_beside_its_origin(browser: Browser, server: Server) -> None:
    said = [seat | {"options": {"text": text, "rate": 0}} for seat, text in zip(PANEL, TEXTS, strict=True)]
    table = await server.convene(topic=TOPIC, panel=said, policy="round_robin", limits={"max_rounds": 1})
    await whole(server, table)
    async with visitor(browser, server) as page:
        await page.goto(f"/t/{table}")
        await expect(page.locator("article h2")).to_have_text(["Ada", "Ben", "Cleo"])
        await page.get_by_label("Ada’s turn: what was sent").click()
        sheet = page.get_by_role("dialog")
        await sheet.get_by_role("button", name="What Ada was sent").click()
        await expect(sheet).to_contain_text("Word for word what was sent")
        await expect(sheet).to_contain_text(TOPIC)
        await sheet.get_by_role("button", name="Close").click()

        await page.get_by_label("Ben’s turn: what was sent").click()
        await sheet.get_by_role("button", name="Fork from here…").click()
        await sheet.get_by_label("Say something first, to all").fill("And cold?")
        await sheet.get_by_label("Change Cleo").click()
        await sheet.get_by_label("Move Cleo up").click()
        await sheet.get_by_label("Move Cleo up").click()
        await sheet.get_by_role("button", name="Fork", exact=True).click()
        await page.wait_for_url(lambda url: "/t/" in url and table not in url)
        fork = page.url.rpartition("/")[2]
        await expect(page.locator(".ended")).to_be_visible()
        transcript = fold(await whole(server, fork))
        assert transcript.origin
        assert transcript.origin.table == table
        assert [turn.text for turn in transcript.turns[:2]] == TEXTS[:2]
        assert [message.text for message in transcript.messages] == ["And cold?"]
        assert [seat.name for seat in transcript.panel] == ["Cleo", "Ada", "Ben"]

        await page.get_by_role("link", name="Both side by side").click()
        await page.wait_for_url(f"{server.url}/compare/{table}/{fork}")
        await expect(page.locator(".past summary")).to_have_text("Until here both are the same: 2 turns")
        await expect(page.locator("tbody th")).to_have_text(["Order"])
        talk = page.locator(".sides .talk")
        await expect(talk.first.locator(".said")).to_have_count(1)
        await expect(talk.last.locator(".said")).to_have_count(len(transcript.turns) - 2)
        await expect(talk.locator(".message")).to_have_text("And cold?")


async def test_a_file_lies_on_the_table_for_all(browser: Browser, server: Server, tmp_path: Path) -> None:
    draft = {
        "topic": "",
        "panel": PANEL,
        "policy": "round_robin",
        "limits": {"max_rounds": 1},
        "then": "rest",
    }
    letter = tmp_path / "letter.txt"
    letter.write_text("Discharged on Tuesday.")
    async with visitor(browser, server, draft) as host, visitor(browser, server) as guest:
        await host.goto("/")
        await host.get_by_label("Files", exact=True).set_input_files(letter)
        await expect(host.get_by_label("Files for the table")).to_contain_text("letter.txt")
        await host.fill("#topic", TOPIC)
        await host.get_by_role("button", name="Convene", exact=True).click()
        await host.wait_for_url("**/t/*")
        table = host.url.rpartition("/")[2]
        await guest.goto(f"/t/{table}")
        await guest.get_by_label("Files for the table").set_input_files(
            {"name": "dot.gif", "mimeType": "image/gif", "buffer": GIF}
        )
        for page in (host, guest):
            files = page.get_by_role("complementary", name="About this table")
            await expect(files.locator("img")).to_have_js_property("naturalWidth", 1)
            await expect(files).to_contain_text("22 B, from")
            await expect(page.get_by_label("Files on their way to the table")).to_have_count(0)
        laid = (await server.transcript(table))["materials"]
        assert [(file["name"], file["form"]) for file in laid] == [
            ("letter.txt", "text"),
            ("dot.gif", "image"),
        ]
