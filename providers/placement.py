"""Where each preset's server is for this process, and which variable holds its key: environment and configuration."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from protocol.errors import Invalid
from providers.presets import PRESETS, Dialect, Preset, is_loopback


class Custom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[providers.NAME]`: a compatible server, or a preset's server at another address."""

    dialect: Dialect
    base_url: str
    api_key_env: str = ""
    images: bool | None = None  # whether its models take pictures, where a preset cannot know


def place(environ: Mapping[str, str], custom: Mapping[str, Custom]) -> dict[str, Preset]:
    """Presets and added servers by name. Raises `Invalid` naming the address that is none."""
    placed = dict(PRESETS)
    for name in ("anthropic", "openai"):
        env = f"{name.upper()}_BASE_URL"
        if url := environ.get(env, "").strip():
            placed[name] = _at(PRESETS[name], url, env)
    for name, server in custom.items():
        preset = PRESETS.get(name) or Preset(name=name, title=name, base_url="")
        preset = _at(preset, server.base_url, f"providers.{name}.base_url")
        envs = (server.api_key_env,) if server.api_key_env else preset.key_envs
        images = preset.images if server.images is None else server.images
        placed[name] = msgspec.structs.replace(preset, dialect=server.dialect, key_envs=envs, images=images)
    return placed


def find_key(preset: Preset, environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that holds the key, or would, and the key; each empty when there is none."""
    for env in preset.key_envs:
        if key := environ.get(env, "").strip():
            return env, key
    return (preset.key_envs[0] if preset.key_envs else ""), ""


def _at(preset: Preset, url: str, field: str) -> Preset:
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") and parts.port != 0 else None
    except ValueError:
        host = None
    if not host:
        raise Invalid("A base URL looks like http://127.0.0.1:8080/v1.", field=field)
    # Servers on this machine seldom know the newer name of the limit, and what they do not know they ignore.
    limit = "max_tokens" if is_loopback(url) else preset.limit
    # Compatible servers are many, and what they have in common is Chat Completions.
    dialect = "openai" if preset.name == "openai" and not _is_openai(host) else preset.dialect
    return msgspec.structs.replace(preset, base_url=url, destination=host, limit=limit, dialect=dialect)


def _is_openai(host: str) -> bool:
    """Its own address, or one of those where it keeps data in a region, as in `eu.api.openai.com`."""
    return host == "api.openai.com" or host.endswith(".api.openai.com")
