"""What can be used on this machine right now, for people: keys and files are looked for, local servers asked.

A vendor's server is never called: that would tell it of our existence and might cost something.
"""

import msgspec

from protocol.errors import ProviderError
from providers.llama.provider import INSTALL, LlamaProvider, installed
from providers.openai_client import OpenAIServer
from providers.presets import Preset

# A server on this machine that does not list its models in this time is busy, or something else. Seconds.
PROBE_WITHIN = 1.0


class ProviderStatus(msgspec.Struct, frozen=True):
    """Whether a provider can be used here. `hint` says how to connect one that cannot; `models` are ones to offer."""

    name: str
    title: str
    usable: bool
    local: bool
    destination: str
    detail: str
    hint: str = ""
    models: list[str] = []


def unasked(preset: Preset, env: str, key: str) -> ProviderStatus:
    """A vendor's status: whether its key is there. `env` is empty for a server that needs none."""
    usable = bool(key or not env or preset.local)
    detail = "Key found" if key else "Configured" if usable else "No key"
    hint = "" if usable else f"Set {env} and restart"
    return ProviderStatus(
        preset.name, preset.title, usable, preset.local, preset.seen_by, detail, hint, list(preset.models)
    )


async def local(preset: Preset, provider: OpenAIServer) -> ProviderStatus:
    """The status of a server on this machine: what it answers within `PROBE_WITHIN` seconds."""
    try:
        models = [model for model in await provider.models(PROBE_WITHIN) if _speaks(model)]
    except ProviderError as error:
        usable, detail, hint = False, *_trouble(preset, error.code)
        models = []
    else:
        usable = bool(models)
        detail, hint = f"Running: {_models(len(models))}", "" if models else "Load a model into it"
    return ProviderStatus(preset.name, preset.title, usable, True, provider.destination, detail, hint, models)


def files(provider: LlamaProvider) -> ProviderStatus:
    """The models that llama.cpp finds in the configured folders, or what is missing: itself, a folder, a file."""
    models = provider.files.names() if installed() else []
    detail, hint = _models(len(models)), ""
    if not installed():
        detail, hint = "Not installed", f"{INSTALL}, and restart"
    elif not provider.files.configured:
        detail, hint = "No folder of models", "Set model_folders or ROUNDTABLE_MODEL_FOLDERS, and restart"
    elif not models:
        detail, hint = "No models", "Put a .gguf file into a folder of model_folders"
    return ProviderStatus(
        "llama", "llama.cpp", bool(models), True, provider.destination, detail, hint, models
    )


def _models(count: int) -> str:
    return f"{count} model{'s' * (count != 1)}" if count else "no models"


def _trouble(preset: Preset, code: str) -> tuple[str, str]:
    start = f"Start its server: {preset.start}" if preset.start else f"Start the server at {preset.host}"
    match code:
        case "connection":
            return "Not running", start
        case "auth":
            env = preset.key_envs[0] if preset.key_envs else "its api_key_env"
            return "Wants a key", f"Set {env} and restart"
        case "timeout" | "unavailable" | "rate_limited":
            return "Running, but does not answer now", "Try again in a moment"
        case _:
            return f"Something else answers at {preset.host}", start


def _speaks(model: str) -> bool:
    """Whether a listed model can take a seat: no embedding model, and none that Ollama passes on to its cloud."""
    return "embed" not in model.lower() and not is_passed_on(model)


def is_passed_on(model: str) -> bool:
    """Whether a model that Ollama lists runs at ollama.com instead of here."""
    return model.endswith(("-cloud", ":cloud"))
