"""What a server of tools is given to prove who asks, and what must be in no result, event or log line."""

import re
from collections.abc import Mapping

from providers.secrecy import MARK, PART, Secret
from roundtable.config import McpServer

# A plain setting whose name says what it is, is kept out of sight too.
_TELLING = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
# The environment of a command: what programs need to find their way, and none of the keys in ours.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")


def missing(settings: McpServer, environ: Mapping[str, str]) -> list[str]:
    """Variables that are named and not set."""
    named = [*settings.env_from, *settings.headers_from.values(), settings.api_key_env]
    return [name for name in named if name and not environ.get(name)]


def environment(settings: McpServer, environ: Mapping[str, str]) -> dict[str, str]:
    """Of a command: a few harmless variables, and what is set for it."""
    names = [*_INHERITED, *settings.env_from]
    return {name: environ[name] for name in names if name in environ} | settings.env


def headers(settings: McpServer, environ: Mapping[str, str]) -> dict[str, str]:
    """Of every request to a URL."""
    found = {header: environ.get(name, "").strip() for header, name in settings.headers_from.items()}
    if settings.api_key_env:
        found["Authorization"] = f"Bearer {environ.get(settings.api_key_env, '').strip()}"
    return found


class Secrets:
    """All of one server's."""

    def __init__(self, settings: McpServer, environ: Mapping[str, str]) -> None:
        named = [*settings.env_from, *settings.headers_from.values(), settings.api_key_env]
        values = [environ.get(name, "").strip() for name in named]
        values += [value for name, value in settings.env.items() if _TELLING.search(name)]
        self._values = [value for value in values if value]
        self._long = [Secret(value) for value in self._values if len(value) >= 2 * PART]

    def scrub(self, text: str) -> str:
        """The text without them, nor words that hold a part of one."""
        for value in self._values:
            if len(value) >= PART:  # shorter, it may be any word
                text = text.replace(value, MARK)
        for secret in self._long:
            text = secret.scrub(text)
        return text
