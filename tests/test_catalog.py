"""Names to providers, what is usable here, and the panel for who chose none."""

import json
from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from protocol.errors import Invalid
from protocol.messages import Cost, Panelist, Usage
from providers import catalog as catalog_module
from providers import prices
from providers.anthropic import AnthropicProvider
from providers.catalog import SURVEY_KEEPS, Catalog
from providers.openai import OpenAIProvider
from providers.openai_client import OpenAIServer
from providers.placement import Custom
from providers.presets import PRESETS, is_loopback
from providers.responses import ResponsesProvider
from providers.scripted import ScriptedProvider
from providers.survey import ProviderStatus
from tests.misbehaving import Act, MisbehavingServer, Step, answer, error

LOCAL = [name for name, preset in PRESETS.items() if preset.local]


def elsewhere(url: str) -> dict[str, Custom]:
    """Every local server at `url`, so that no test depends on what runs on this machine."""
    return {name: Custom("openai", url) for name in LOCAL}


async def survey(environ: Mapping[str, str], *steps: Step) -> dict[str, ProviderStatus]:
    async with MisbehavingServer(steps) as server:
        catalog = Catalog(environ, elsewhere(server.url))
        found = await catalog.survey()
        await catalog.close()
    by_name = {status.name: status for status in found}
    assert len(by_name) == len(found)
    return by_name


def models(*names: str) -> bytes:
    return answer(200, json.dumps({"data": [{"id": name} for name in names]}).encode())


async def refused(model: str, environ: Mapping[str, str] | None = None, **options: object) -> Invalid:
    catalog = Catalog(environ or {})
    with pytest.raises(Invalid) as failure:
        catalog.check(Panelist("Ada", model, options=options))
    await catalog.close()
    return failure.value


# -- Names --------------------------------------------------------------------------------------------------------


async def test_a_model_names_its_provider() -> None:
    catalog = Catalog({"GROQ_API_KEY": "k"})
    provider, model = catalog.resolve("groq:openai/gpt-oss-120b")
    assert (provider.name, provider.local, provider.destination, model) == (
        "groq", False, "Groq", "openai/gpt-oss-120b",
    )  # fmt: skip
    assert catalog.resolve("groq:other")[0] is provider
    ollama, model = catalog.resolve("ollama:llama3.2:3b")
    assert (ollama.name, ollama.local, ollama.destination, model) == (
        "ollama",
        True,
        "this machine",
        "llama3.2:3b",
    )
    assert isinstance(catalog.resolve("scripted:anything")[0], ScriptedProvider)
    await catalog.close()


@pytest.mark.parametrize("model", ["", "gpt", ":gpt", "openai:"])
async def test_a_malformed_model_is_refused(model: str) -> None:
    failure = await refused(model)
    assert failure.field == "model"
    assert "looks like ollama:" in failure.detail


async def test_an_unknown_provider_is_refused_with_the_nearest() -> None:
    assert "did you mean 'ollama'?" in (await refused("olama:x")).detail
    assert "known are anthropic, openai" in (await refused("zzz:x")).detail


async def test_a_missing_key_is_named() -> None:
    failure = await refused("gemini:gemini-3.5-flash", {"GEMINI_API_KEY": "  "})
    assert (failure.code, failure.field) == ("not_configured", "model")
    assert failure.detail == "Gemini has no key: set GEMINI_API_KEY and restart."


async def test_any_usual_variable_may_hold_the_key() -> None:
    catalog = Catalog({"GOOGLE_API_KEY": "k"})
    catalog.check(Panelist("Ada", "gemini:x"))
    await catalog.close()


@pytest.mark.parametrize("model", ["ollama:llama3.2", "scripted:x"])
async def test_unknown_options_are_refused(model: str) -> None:
    assert (await refused(model, frobnicate=1)).field == "options.frobnicate"


@pytest.mark.parametrize("model", ["ollama:gpt-oss:120b-cloud", "ollama:glm:cloud"])
async def test_a_model_that_ollama_passes_on_is_not_local(model: str) -> None:
    assert "not on this machine" in (await refused(model)).detail


# -- Where servers are --------------------------------------------------------------------------------------------


async def test_a_custom_server_is_known_by_its_name() -> None:
    house = Custom("openai", "https://llm.example.org/v1", "HOUSE_KEY")
    catalog = Catalog({"HOUSE_KEY": "k"}, {"house": house})
    provider, model = catalog.resolve("house:big")
    assert (provider.name, provider.local, provider.destination, model) == (
        "house",
        False,
        "llm.example.org",
        "big",
    )
    assert (await refused("house:big")).code == "invalid"
    await catalog.close()


async def test_openai_base_url_moves_openai() -> None:
    catalog = Catalog({"OPENAI_BASE_URL": "http://localhost:9/v1"})
    provider, _ = catalog.resolve("openai:x")  # no key: a server on this machine may want none
    assert (provider.local, provider.destination) == (True, "this machine")
    await catalog.close()
    catalog = Catalog({"OPENAI_BASE_URL": "https://proxy.example.org/v1", "OPENAI_API_KEY": "k"})
    provider, _ = catalog.resolve("openai:x")
    assert (provider.local, provider.destination) == (False, "proxy.example.org")
    await catalog.close()


@pytest.mark.parametrize(
    ("url", "speaks"),
    [
        ("", ResponsesProvider),
        ("https://api.openai.com/v1", ResponsesProvider),
        ("https://eu.api.openai.com/v1/", ResponsesProvider),
        ("https://api.openai.com.example.org/v1", OpenAIProvider),
        ("https://example.org/api.openai.com/v1", OpenAIProvider),
        ("http://127.0.0.1:9/v1", OpenAIProvider),
    ],
)
async def test_openai_speaks_responses_at_its_own_address_only(url: str, speaks: type) -> None:
    catalog = Catalog({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"})
    assert type(catalog.resolve("openai:x")[0]) is speaks
    await catalog.close()


async def test_configuration_chooses_either_of_openais_dialects() -> None:
    own = PRESETS["openai"].base_url
    custom = {"openai": Custom("openai", own), "house": Custom("responses", "http://127.0.0.1:9/v1")}
    catalog = Catalog({"OPENAI_API_KEY": "k"}, custom)
    assert type(catalog.resolve("openai:x")[0]) is OpenAIProvider
    house, _ = catalog.resolve("house:big")
    assert (type(house), house.local) == (ResponsesProvider, True)
    with pytest.raises(Invalid, match="no 'seed'"):
        catalog.check(Panelist("Ada", "house:big", options={"seed": 1}))
    await catalog.close()


async def test_a_local_server_lists_its_models_in_either_dialect() -> None:
    async with MisbehavingServer([models("one")]) as server:
        catalog = Catalog({}, {**elsewhere(server.url), "house": Custom("responses", server.url)})
        found = {status.name: status.models for status in await catalog.survey()}
        await catalog.close()
    assert found["house"] == found["ollama"] == ["one"]


async def test_anthropic_base_url_moves_anthropic() -> None:
    catalog = Catalog({"ANTHROPIC_BASE_URL": "https://gate.example.org", "ANTHROPIC_API_KEY": "k"})
    provider, _ = catalog.resolve("anthropic:claude")
    assert isinstance(provider, AnthropicProvider)
    assert (provider.local, provider.destination) == (False, "gate.example.org")
    await catalog.close()


async def test_a_custom_server_may_speak_the_messages_dialect() -> None:
    custom = {"house": Custom("anthropic", "http://127.0.0.1:9")}
    catalog = Catalog({}, custom)
    provider, _ = catalog.resolve("house:big")
    assert isinstance(provider, AnthropicProvider)
    assert (provider.name, provider.local, provider.destination) == ("house", True, "this machine")
    with pytest.raises(Invalid, match="no 'temperature'"):
        catalog.check(Panelist("Ada", "house:big", options={"temperature": 1}))
    await catalog.close()


@pytest.mark.parametrize(
    "url", ["", "ftp://x/v1", "localhost:8080/v1", "http://", "http://x:99999/v1", "http://[x/v1"]
)
def test_an_address_that_is_none_refuses_to_start(url: str) -> None:
    with pytest.raises(Invalid) as failure:
        Catalog({}, {"house": Custom("openai", url)})
    assert failure.value.field == "providers.house.base_url"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("[::1]", True), ("localhost", True), ("LOCALHOST", True),
        ("a.localhost", True), ("0.0.0.0", False), ("192.168.1.5", False), ("localhost.example.org", False),
        ("user@127.0.0.1", True), ("127.0.0.1@example.org", False),
    ],
)  # fmt: skip
def test_what_counts_as_this_machine(host: str, local: bool) -> None:
    assert is_loopback(f"http://{host}:8080/v1") is local


# -- Other packages' providers ------------------------------------------------------------------------------------


def guest(environ: Mapping[str, str]) -> ScriptedProvider:
    provider = ScriptedProvider()
    provider.name = environ["GUEST_NAME"]
    return provider


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = EntryPoints(
        [
            EntryPoint("guest", f"{__name__}:guest", catalog_module.ENTRY_POINTS),
            EntryPoint("broken", "no_such_module:x", catalog_module.ENTRY_POINTS),
            EntryPoint("openai", f"{__name__}:guest", catalog_module.ENTRY_POINTS),
        ]
    )
    monkeypatch.setattr(catalog_module, "entry_points", lambda group: found)


@pytest.mark.usefixtures("installed")
async def test_an_entry_point_adds_a_provider_and_replaces_none() -> None:
    catalog = Catalog({"GUEST_NAME": "Guest", "OPENAI_API_KEY": "k"})
    assert catalog.resolve("guest:x")[0].name == "Guest"
    assert isinstance(catalog.resolve("openai:x")[0], OpenAIServer)
    with pytest.raises(Invalid, match="does not load: ModuleNotFoundError"):
        catalog.resolve("broken:x")
    await catalog.close()


@pytest.mark.usefixtures("installed")
async def test_a_broken_package_spoils_no_survey() -> None:
    found = await survey({"GUEST_NAME": "Guest"}, Act.CUT)
    assert (found["guest"].usable, found["broken"].usable) == (True, False)


# -- The survey ---------------------------------------------------------------------------------------------------


async def test_a_key_is_enough_and_no_vendor_is_called() -> None:
    found = await survey({"OPENAI_API_KEY": "k"}, Act.CUT)
    assert found["openai"] == ProviderStatus(
        "openai", "OpenAI", True, False, "OpenAI", "Key found", models=list(PRESETS["openai"].models)
    )
    assert (found["xai"].usable, found["xai"].detail, found["xai"].hint) == (
        False, "No key", "Set XAI_API_KEY and restart",
    )  # fmt: skip


async def test_anthropic_comes_first_and_is_not_asked_even_on_this_machine() -> None:
    environ = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}
    found = await survey(environ, Act.CUT)
    models = list(PRESETS["anthropic"].models)
    assert found["anthropic"] == ProviderStatus(
        "anthropic", "Anthropic", True, False, "Anthropic", "Key found", models=models
    )
    panel = Catalog(environ).default_panel(list(found.values()))
    assert [panelist.model.partition(":")[0] for panelist in panel] == ["anthropic", "openai", "anthropic"]
    here = (await survey({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, Act.CUT))["anthropic"]
    assert (here.usable, here.local, here.destination, here.detail) == (
        True, True, "this machine", "Configured",
    )  # fmt: skip


async def test_local_servers_are_asked_for_their_models() -> None:
    found = await survey({}, models("llama3.2:3b", "nomic-embed-text", "big-cloud", "qwen3"))
    assert found["ollama"] == ProviderStatus(
        "ollama", "Ollama", True, True, "this machine", "Running: 2 models", models=["llama3.2:3b", "qwen3"]
    )


@pytest.mark.parametrize(
    ("step", "detail", "hint"),
    [
        (Act.CUT, "Not running", "Start its server: ollama serve"),
        (models(), "Running: no models", "Load a model into it"),
        (models("one"), "Running: 1 model", ""),
        (error(401, "Who are you?"), "Wants a key", "Set its api_key_env and restart"),
        (error(503, "Loading"), "Running, but does not answer now", "Try again in a moment"),
        (
            answer(200, b"<html>"),
            "Something else answers at http://127.0.0.1",
            "Start its server: ollama serve",
        ),
    ],
    ids=["refuses", "empty", "one", "locked", "busy", "other"],
)
async def test_what_a_local_server_may_say(step: Step, detail: str, hint: str) -> None:
    found = (await survey({}, step))["ollama"]
    assert found.detail.startswith(detail)
    assert (found.usable, found.hint) == (detail == "Running: 1 model", hint)


async def test_a_survey_is_kept_for_a_while() -> None:
    now = 0.0
    async with MisbehavingServer([models("one")]) as server:
        catalog = Catalog({}, elsewhere(server.url), clock=lambda: now)
        await catalog.survey()
        asked = len(server.requests)
        now = SURVEY_KEEPS - 0.1
        await catalog.survey()
        assert len(server.requests) == asked
        now = SURVEY_KEEPS
        await catalog.survey()
        assert len(server.requests) == 2 * asked
        await catalog.close()


# -- The default panel --------------------------------------------------------------------------------------------


def status(name: str, *models: str, usable: bool = True) -> ProviderStatus:
    return ProviderStatus(name, name, usable, False, "", "", models=list(models))


@pytest.mark.parametrize(
    ("found", "seats"),
    [
        ([status("a", "1"), status("b", "2"), status("c", "3"), status("d", "4")], ["a:1", "b:2", "c:3"]),
        ([status("a", "1", "2", "3"), status("b", "4")], ["a:1", "b:4", "a:2"]),
        ([status("a", "1"), status("b", "2", usable=False)], ["a:1", "a:1", "a:1"]),
    ],
    ids=["many", "two", "one"],
)
async def test_seats_are_spread_over_what_is_usable(found: list[ProviderStatus], seats: list[str]) -> None:
    panel = Catalog({}).default_panel(found, "en")
    assert [panelist.model for panelist in panel] == seats
    assert [panelist.name for panelist in panel] == ["Ada", "Ben", "Cleo"]
    assert len({panelist.persona for panelist in panel}) == 3


async def test_a_panel_speaks_the_language_that_is_asked_for() -> None:
    assert all(
        "de-AT" in panelist.persona for panelist in Catalog({}).default_panel([status("a", "1")], "de-AT")
    )


async def test_where_nothing_is_usable_the_demo_speaks() -> None:
    panel = Catalog({}).default_panel([status("a", "1", usable=False), status("scripted", "x")], "de-AT")
    assert len(panel) == 3
    assert all(panelist.model.startswith("scripted:") for panelist in panel)


async def test_the_environment_may_choose_the_models() -> None:
    environ = {"ROUNDTABLE_MODELS": "ollama:llama3.2:3b, scripted:x"}
    panel = Catalog(environ).default_panel([status("a", "1")], "en")
    assert [panelist.model for panelist in panel] == [
        "ollama:llama3.2:3b",
        "scripted:x",
        "ollama:llama3.2:3b",
    ]
    with pytest.raises(Invalid, match="did you mean 'ollama'"):
        Catalog({"ROUNDTABLE_MODELS": "olama:x"}).default_panel([], "en")


# -- Prices -------------------------------------------------------------------------------------------------------


def test_what_turns_cost() -> None:
    million = Usage(input=1_000_000, output=1_000_000)
    paid = prices.cost("openai:gpt-4o", million)
    assert paid == Cost(12.5)  # 2.50 and 10.00 dollars; a model whose price no longer changes
    cached = prices.cost("openai:gpt-4o", Usage(input=1_000_000, output=1_000_000, cached=1_000_000))
    assert cached == Cost(11.25)
    read = prices.cost("anthropic:claude-haiku-4-5", Usage(input=1_000_000, cached=1_000_000))
    assert read == Cost(0.1)  # a tenth of 1 dollar
    written = Usage(input=2_000_000, cached=1_000_000, cache_write=1_000_000)
    assert prices.cost("anthropic:claude-haiku-4-5", written) == Cost(
        1.35
    )  # and a quarter more than 1 dollar
    assert prices.cost("openai:gpt-4o", written) == Cost(3.75)  # no word of writing in its price list
    lying = Usage(input=1_000_000, cached=1_000_000, cache_write=1_000_000)
    assert prices.cost("anthropic:claude-haiku-4-5", lying) == Cost(0.1)  # not more than was sent
    assert prices.cost("ollama:anything", million) == prices.cost("scripted:x", million) == Cost(0.0)
    assert prices.cost("openai:gpt-99-nonesuch", million) is None
    assert prices.cost("house:big", million) is None


@pytest.mark.parametrize(
    "model", [f"{name}:{model}" for name, preset in PRESETS.items() for model in preset.models]
)
def test_every_model_a_panel_is_offered_has_a_price(model: str) -> None:
    assert prices.known(model)
