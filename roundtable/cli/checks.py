"""What `doctor` looks at on this machine and in the settings. Nothing is changed, and no vendor is called."""

import errno
import os
import resource
import socket
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec

from protocol.errors import Invalid
from roundtable import __version__, policies
from roundtable.cli.finding import Finding
from roundtable.cli.models import opened, survey
from roundtable.config import Config

# Seconds for a server on this machine to say that it is one.
ANSWER_WITHIN = 2.0
# Of a folder full of them these many are named: who mends them sees the rest.
MOST_TROUBLES = 5


def program() -> Finding:
    """Who we are."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("program", "ok", f"roundtable {__version__} on Python {version}")


def page() -> Finding:
    """Whether the page is built."""
    from roundtable.edge.page import WEB  # noqa: PLC0415 - the web framework takes a while

    if (WEB / "index.html").is_file():
        return Finding("page", "ok", "the page is built")
    return Finding("page", "wrong", "the page is not built; the API works without it", "Run `make web`.")


def door(config: Config) -> Finding:
    """Who can come in."""
    from roundtable.edge.auth import Door  # noqa: PLC0415 - as above

    try:
        Door(config)
    except Invalid as error:
        return Finding("access", "wrong", error.detail)
    who = "whoever knows the secret" if config.secret else "this machine only"
    return Finding("access", "ok", f"open to {who}, on {config.host or 'all addresses'}")


def open_files(config: Config) -> Finding:
    """Whether the system lets us have as many streams as we are set to serve."""
    from roundtable.edge.limits import RESERVED_FILES  # noqa: PLC0415 - as above

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard - RESERVED_FILES >= config.max_streams:
        return Finding("open files", "ok", f"room for {config.max_streams:,} spectators")
    room = max(1, hard - RESERVED_FILES)
    return Finding(
        "open files", "warning", f"room for {room:,} spectators of {config.max_streams:,} (max_streams)",
        "Raise the hard limit: `ulimit -Hn`, or LimitNOFILE= of its service.",
    )  # fmt: skip


def port(config: Config) -> Finding:
    """Whether the port is free, or ours."""
    where = f"{config.host or '0.0.0.0'}:{config.port}"
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return _taken(config, where)
            return Finding(
                "port",
                "wrong",
                f"cannot listen on {where}: {error.strerror}",
                "Choose another --host or --port.",
            )
    return Finding("port", "ok", f"{where} is free")


def _taken(config: Config, where: str) -> Finding:
    host = config.host if config.host not in ("", "0.0.0.0", "::") else "localhost"
    try:
        with socket.create_connection((host, config.port), ANSWER_WITHIN) as talk:
            talk.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            ours = talk.recv(4096).startswith(b"HTTP/1.0 200")
    except OSError:
        ours = False
    if ours:
        return Finding("port", "ok", f"a server is running on {where}")
    return Finding(
        "port", "warning", f"{where} is in use by another program", "Stop it, or choose another --port."
    )


async def models(config: Config) -> list[Finding]:
    """Who can speak here."""
    found = await survey(config)
    findings = [Finding(f"{each.name}", "ok", each.detail.lower()) for each in found if each.usable]
    if all(each.name == "scripted" for each in found if each.usable):
        findings.append(
            Finding(
                "models", "warning", "no model can be used here, only demo voices", "See `roundtable models`."
            )
        )
    missing = [each.name for each in found if not each.usable]
    if missing:
        findings.append(Finding("not set up", "ok", ", ".join(missing), "`roundtable models` says how."))
    if not any(each.name == "llama" for each in found):
        findings.append(_llama())
    return findings


async def panels(config: Config) -> list[Finding]:
    """Whether those in the settings can be held; a server would not start."""
    from roundtable.edge.openai.panels import Panels  # noqa: PLC0415 - as above

    try:
        async with opened(config) as catalog:
            await Panels(config.panels).check(catalog)
    except Invalid as error:
        return [Finding("panels", "wrong", error.detail)]
    return [Finding("panels", "ok", ", ".join(config.panels))] if config.panels else []


async def embeddings(config: Config) -> list[Finding]:
    """Whether the model that measures can be had; a server would not start."""
    if not config.embeddings:
        return []
    try:
        async with opened(config) as catalog:
            model = catalog.find_embedder(config.embeddings)
    except Invalid as error:
        return [Finding("embeddings", "wrong", error.detail.removeprefix("embeddings: "))]
    return [Finding("embeddings", "ok", model.model)]


async def tool_servers(config: Config) -> list[Finding]:
    """Whether servers of tools answer."""
    from roundtable.mcp.servers import Servers  # noqa: PLC0415 - as above

    servers = Servers(config.mcp, os.environ)
    await servers.prepare()
    try:
        found = await servers.listing()
    finally:
        await servers.close()
    hint = "Mend [mcp.{}]; tables go on without its tools."
    return [
        Finding("tools", "ok", ", ".join(each.tools) or f"{each.name}: none")
        if each.usable
        else Finding("tools", "warning", each.detail, hint.format(each.name))
        for each in found
    ]


def packages() -> list[Finding]:
    """What other packages add that cannot be used."""
    from roundtable.tools.toolbox import Toolbox  # noqa: PLC0415 - as above

    toolbox, known = Toolbox([]), policies.available()
    troubles = [f"the tool {name}: {why}" for name, why in toolbox.broken.items()] if toolbox.tools else []
    names = [point.name for point in entry_points(group=policies.GROUP) if point.name not in known]
    troubles += [f"the policy {name}: it does not load." for name in names]
    hint = "Mend or remove the package that adds it."
    return [Finding("packages", "warning", trouble, hint) for trouble in troubles[:MOST_TROUBLES]]


def model_folders(config: Config) -> list[Finding]:
    """What is wrong with the folders of models."""
    from providers.llama.files import ModelFiles  # noqa: PLC0415 - as above

    troubles = ModelFiles(config.model_folders).troubles()
    hint = "Mend model_folders, or what is in it."
    return [Finding("llama files", "warning", trouble, hint) for trouble in troubles[:MOST_TROUBLES]]


def _llama() -> Finding:
    if find_spec("llama_cpp"):
        return Finding("llama.cpp", "ok", "installed")
    return Finding("llama.cpp", "ok", "not installed; it is optional", "`pip install 'roundtable[local]'`")
