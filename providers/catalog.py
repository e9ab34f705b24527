"""`provider:model` to a provider, and the panel for who chose none. The only place that constructs providers.

Nothing here needs a network but `survey`, which asks servers on this machine and no other.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from itertools import chain, cycle, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from protocol.errors import Invalid
from protocol.messages import Panelist
from providers import breaker, survey
from providers.base import Embeds, Provider
from providers.demo import demo_panel
from providers.llama.provider import LlamaProvider
from providers.openai import OpenAIProvider
from providers.openai_client import OpenAIServer
from providers.placement import Custom, find_key, place
from providers.presets import Dialect, Preset
from providers.responses import ResponsesProvider
from providers.scripted import ScriptedProvider
from providers.survey import ProviderStatus

ENTRY_POINTS = "roundtable.providers"
# The lobby asks on every visit; a server that was just started should still show up soon. Seconds.
SURVEY_KEEPS = 5.0

SEATS = (
    ("Ada", "A pragmatist. Asks what happens on Monday morning."),
    ("Ben", "A sceptic. Looks for the assumption that brings it all down if it is wrong."),
    ("Cleo", "A synthesist. Says what the others agree on, and what is still open."),
)


@runtime_checkable
class Checks(Protocol):
    """A provider that can judge options without asking its server; raises `Invalid`."""

    def check(self, options: dict[str, Any]) -> None: ...


class Embedder(NamedTuple):
    """A model that turns texts into vectors: `model` as `provider:model`, `name` as its provider knows it."""

    model: str
    provider: Embeds
    name: str
    local: bool


class Catalog:
    """All providers by name, each constructed once, when first asked for.

    They come from the presets, from `custom`, and from the entry points of other packages, whose factories take the
    environment. `llama` finds its files in `model_folders`. A program's `own` go before all others. `clock` (seconds)
    ages the survey. `embeddings` names the model that is `embedder`, if there is one; raises `Invalid` when it cannot
    be.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        custom: Mapping[str, Custom] | None = None,
        *,
        model_folders: Sequence[Path] = (),
        own: Mapping[str, Provider] | None = None,
        embeddings: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._presets = place(environ, custom or {})
        for preset in self._presets.values():
            if find_key(preset, environ)[1]:
                _speaker(preset.dialect)  # imported now, and not while tables talk
        self._installed: dict[str, EntryPoint] = {
            found.name: found for found in entry_points(group=ENTRY_POINTS) if found.name not in self._presets
        }
        self._llama = LlamaProvider(model_folders, environ)
        self._providers: dict[str, Provider] = {"llama": self._llama, "scripted": ScriptedProvider()}
        self._lock = asyncio.Lock()
        self._surveyed: tuple[float, list[ProviderStatus]] | None = None
        self._providers.update(own or {})
        self.embedder = self.find_embedder(embeddings) if embeddings else None

    def resolve(self, model: str) -> tuple[Provider, str]:
        """The provider of `provider:model`, and the vendor's name for the model.

        Raises `Invalid`: malformed, no such provider or file, or (code `not_configured`) one that lacks its key.
        """
        name, _, rest = model.partition(":")
        if not (name and rest):
            raise Invalid(f"{model[:60]!r} is no model; one looks like ollama:llama3.2.", field="model")
        provider = self._provider(name)
        if isinstance(provider, LlamaProvider):
            provider.find(rest)
        if name == "ollama" and provider.local and survey.is_passed_on(rest):
            raise Invalid(f"{rest[:60]} runs at ollama.com and not on this machine.", field="model")
        return provider, rest

    def first_file(self) -> str:
        """The first model in the model folders, as `llama:NAME`. Raises `Invalid` when there is none."""
        names = self._llama.files.names()
        if not names:
            detail = "There is no model on this machine: put a .gguf file into a folder of model_folders."
            raise Invalid(detail, field="model", code="not_configured")
        return f"llama:{names[0]}"

    def check(self, panelist: Panelist) -> None:
        """Raises `Invalid`, naming the field, when it is known beforehand that a panelist, or one of those models that
        speak when hers fails, cannot speak."""
        provider, _ = self.resolve(panelist.model)
        if isinstance(provider, Checks):
            provider.check(panelist.options)
        for name in _not_with_tools(provider, panelist.options) if panelist.tools else ():
            detail = f"{provider.name} is not given {name!r} together with tools."
            raise Invalid(detail, field=f"options.{name}")
        for index, model in enumerate(panelist.fallback):
            try:
                self.resolve(model)
            except Invalid as error:
                raise Invalid(error.detail, field=f"fallback[{index}]", code=error.code) from error

    def suited(self, panelist: Panelist, provider: Provider) -> dict[str, Any]:
        """Those of her options, which are for her own model, that another provider takes as well."""
        left_out = _not_with_tools(provider, panelist.options) if panelist.tools else []
        suited = dict[str, Any]()
        for name, value in panelist.options.items():
            tried = {**suited, name: value}
            try:
                if isinstance(provider, Checks):
                    provider.check(tried)
            except Invalid:
                continue
            if name not in left_out:
                suited = tried
        return suited

    def left_alone(self) -> dict[str, float]:
        """Servers that failed so often that they are not asked now, by provider, and for how many seconds."""
        now = asyncio.get_running_loop().time()
        waits = {name: breaker.of(found).left_alone(now) for name, found in self._providers.items()}
        return {name: wait for name, wait in waits.items() if wait}

    def find_embedder(self, model: str) -> Embedder:
        """The model as one that makes vectors. Raises `Invalid` (`embeddings`) when it cannot be had, or its provider
        makes none."""
        try:
            provider, name = self.resolve(model)
        except Invalid as error:
            raise Invalid(f"embeddings: {error.detail}", field="embeddings", code=error.code) from error
        if not isinstance(provider, Embeds):
            raise Invalid(f"embeddings: {provider.name} has none.", field="embeddings")
        return Embedder(model, provider, name, provider.local)

    async def survey(self) -> list[ProviderStatus]:
        """Every provider, usable or not; at most `SURVEY_KEEPS` seconds old. Raises nothing."""
        async with self._lock:
            now = self._clock()
            if self._surveyed is None or now - self._surveyed[0] >= SURVEY_KEEPS:
                found = await asyncio.gather(*map(self._status, self._presets))
                others = map(self._status_of_other, ["llama", *sorted(self._installed), "scripted"])
                self._surveyed = now, [*found, *others]
            left_alone = self.left_alone()
            return [_left_alone(status, left_alone.get(status.name, 0.0)) for status in self._surveyed[1]]

    def default_panel(self, surveyed: Sequence[ProviderStatus], language: str = "en") -> list[Panelist]:
        """Three seats over as many vendors and models as there are; the demo's voices when there is none.

        `language` is a BCP 47 tag. ROUNDTABLE_MODELS, comma-separated, chooses instead; a wrong one raises `Invalid`.
        """
        models = [
            name.strip() for name in self._environ.get("ROUNDTABLE_MODELS", "").split(",") if name.strip()
        ]
        for model in models:
            self.resolve(model)
        usable = [status for status in surveyed if status.usable and status.name != "scripted"]
        offers = [[f"{status.name}:{model}" for model in status.models] for status in usable]
        models = models or [model for model in chain(*zip_longest(*offers)) if model]
        if not models:
            return demo_panel(language.split("-", maxsplit=1)[0])
        speaks = "" if language.startswith("en") else f" Speaks the language {language} (BCP 47)."
        return [
            Panelist(name, model, persona + speaks)
            for (name, persona), model in zip(SEATS, cycle(models), strict=False)
        ]

    async def close(self) -> None:
        """Close every provider."""
        for provider in self._providers.values():
            await provider.close()

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            self._providers[name] = self._dialect(name) if name in self._presets else self._other(name)
        return self._providers[name]

    def _dialect(self, name: str) -> Provider:
        preset = self._presets[name]
        env, key = find_key(preset, self._environ)
        if env and not key and not preset.local:
            detail = f"{preset.title} has no key: set {env} and restart."
            raise Invalid(detail, field="model", code="not_configured")
        return _speaker(preset.dialect)(msgspec.structs.replace(preset, key_envs=(env,) if env else ()), key)

    def _other(self, name: str) -> Provider:
        if name not in self._installed:
            known = list(dict.fromkeys([*self._presets, *self._installed, *self._providers]))
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
            raise Invalid(f"There is no provider {name[:60]!r}; {hint}", field="model")
        try:
            provider: Provider = self._installed[name].load()(self._environ)
        except Exception as error:
            detail = f"The installed provider {name!r} does not load: {type(error).__name__}."
            raise Invalid(detail, field="model", code="not_configured") from error
        return provider

    async def _status(self, name: str) -> ProviderStatus:
        preset = self._presets[name]
        if not preset.local or preset.dialect == "anthropic":
            return survey.unasked(preset, *find_key(preset, self._environ))
        provider = self._provider(name)
        if isinstance(provider, OpenAIServer):
            return await survey.local(preset, provider)
        return self._status_of_other(name)

    def _status_of_other(self, name: str) -> ProviderStatus:
        """Other packages' providers and scripts are not asked anything."""
        try:
            provider = self._provider(name)
        except Invalid as error:
            return ProviderStatus(name, name, False, False, "", error.detail)
        if isinstance(provider, LlamaProvider):
            return survey.files(provider)
        return ProviderStatus(name, name.title(), True, provider.local, provider.destination, "Installed")


def _left_alone(status: ProviderStatus, seconds: float) -> ProviderStatus:
    if not seconds:
        return status
    detail = (
        f"{status.detail}; it failed {breaker.FAILURES} times in a row and is asked again in {seconds:.0f} s"
    )
    return msgspec.structs.replace(status, detail=detail)


def _not_with_tools(provider: Provider, options: Mapping[str, Any]) -> list[str]:
    """Options that a provider, by its own account, does not take where tools are used."""
    names = getattr(provider, "not_with_tools", ())
    return [name for name in names if options.get(name, "disabled") != "disabled"]


def _speaker(dialect: Dialect) -> Callable[[Preset, str], Provider]:
    """What constructs a provider of this dialect. Anthropic's SDK takes 0.7 s to import: only who has a key waits."""
    if dialect == "openai":
        return OpenAIProvider
    if dialect == "responses":
        return ResponsesProvider
    from providers.anthropic import AnthropicProvider  # noqa: PLC0415 - see above

    return AnthropicProvider
