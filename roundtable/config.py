"""One frozen Config, read once: command line over environment over TOML file over the defaults below.

A key nobody knows refuses to start and names the nearest one that exists; a typo never passes for a default.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from protocol.errors import Invalid
from protocol.messages import Limits, Panelist
from providers.placement import Custom

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
Hours = Annotated[float, msgspec.Meta(ge=0)]
# XDG Base Directory specification, where XDG_DATA_HOME is not set.
_DATA = Path("~/.local/share/roundtable")


class Secret(str):
    """Text that does not show itself when whatever holds it is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A panel that is asked like a model: `roundtable/NAME`. Without seats it is the default panel. Whether it comes to
    a `verdict` is its policy's way unless said; `show` is what the caller gets of it, unless he asks otherwise, and who
    is shown the verdict has one."""

    panel: tuple[Panelist, ...] = ()
    policy: str = "round_robin"
    limits: Limits = Limits(max_rounds=1)
    show: Literal["discussion", "verdict"] = "discussion"
    verdict: bool | None = None


class McpServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A server of tools: a `command` that is run here (stdio), or a `url` (streamable HTTP). Secrets are not in the
    file: `env_from`, `api_key_env` (a bearer token) and `headers_from` name variables of this process."""

    command: tuple[str, ...] = ()
    cwd: Path | None = None
    env: dict[str, str] = {}
    env_from: tuple[str, ...] = ()
    url: str = ""
    api_key_env: str = ""
    headers_from: dict[str, str] = {}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set. Paths in a file are relative to that file."""

    host: str = "127.0.0.1"
    port: Port = 8420  # 0 picks a free one; not 8000 or 8080, where model servers listen
    data: Path = msgspec.field(default_factory=_DATA.expanduser)
    # redis://, rediss:// or unix://: tables are kept there and not in `data`, and served by many nodes. One with a
    # password belongs in ROUNDTABLE_REDIS.
    redis: str = Secret()
    # Accept a Redis that would lose tables when it stops (`appendonly no`).
    redis_volatile: bool = False
    # Folders with GGUF files: `llama:NAME` is NAME.gguf in one of them. In
    # ROUNDTABLE_MODEL_FOLDERS they are separated as in PATH.
    model_folders: tuple[Path, ...] = ()
    secret_file: Path | None = None
    # Never in the file: from ROUNDTABLE_SECRET, or what `secret_file` holds. Empty means loopback only.
    secret: str = Secret()
    # "provider:model" by whose embeddings the dispersion of positions is measured; without one, by words. One that is
    # not on this machine is asked only at tables where somebody speaks through the same provider.
    embeddings: str = ""
    # Names under which the server may be called, besides loopback and `host`: "table.example.org".
    allowed_hosts: tuple[str, ...] = ()
    # Other sites whose pages may post here: "https://example.org".
    allowed_origins: tuple[str, ...] = ()
    # Spectators at one time, also bounded by the open files that the system allows.
    max_streams: Count = 16_000
    # Per client address. A person posts less than once a second; a program that asks and waits, in a loop on this
    # machine, some two hundred times. What it begins has bounds of its own, below.
    posts_per_second: Rate = 200.0
    tables_per_minute: Rate = 600.0
    # Invocations at one time: running on this node and of one caller (an address), waiting likewise. A program that
    # starts a hundred at once never notices; one that starts thousands is held back.
    invocations: Count = 256
    invocations_per_caller: Count = 128
    invocations_waiting: Count = 1024
    invocations_waiting_per_caller: Count = 256
    # Hours that invocations are kept after their end, to be looked at and resumed.
    keep_invocations: Hours = 24.0
    # [providers.NAME]: compatible servers, or presets at another address.
    providers: dict[str, Custom] = {}
    # [panels.NAME]: who is asked as the model roundtable/NAME.
    panels: dict[str, Panel] = {}
    # [mcp.NAME]: servers of tools, which panelists use as NAME.TOOL.
    mcp: dict[str, McpServer] = {}


# What a file may set; the secret itself would be copied and committed with it.
_KEYS = tuple(name for name in Config.__struct_fields__ if name != "secret")


def load(path: Path | None, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """Read the configuration; flags that are None were not given. Raises `Invalid` naming the key."""
    values = _read(path) if path else {}
    values.setdefault("data", _default_data(environ))
    if environ.get("ROUNDTABLE_DATA"):
        values["data"] = environ["ROUNDTABLE_DATA"]
    if environ.get("ROUNDTABLE_REDIS"):
        values["redis"] = environ["ROUNDTABLE_REDIS"]
    if environ.get("ROUNDTABLE_MODEL_FOLDERS"):
        values["model_folders"] = environ["ROUNDTABLE_MODEL_FOLDERS"].split(os.pathsep)
    values |= {key: value for key, value in flags.items() if value is not None}
    try:
        config = msgspec.convert(values, Config, dec_hook=_path)
    except msgspec.ValidationError as error:
        detail, _, place = str(error).partition(" - at `")
        key = place.rstrip("`").removeprefix("$.")
        raise Invalid(f"{_where(path)}{key or 'configuration'}: {detail}.", field=key) from error
    secret = environ.get("ROUNDTABLE_SECRET") or _secret(config.secret_file)
    return msgspec.structs.replace(config, secret=Secret(secret), redis=Secret(config.redis))


def _where(path: Path | None) -> str:
    return f"{path}: " if path else ""


def _default_data(environ: Mapping[str, str]) -> str:
    home = environ.get("XDG_DATA_HOME", "")  # a relative path there is to be ignored, says the specification
    return f"{home}/roundtable" if home.startswith("/") else str(_DATA)


def _path(kind: type, value: object) -> Path:
    if kind is Path and isinstance(value, str) and value:
        return Path(value).expanduser()
    raise ValueError(f"Expected a path, got {value!r}")


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"secret_file: {path} cannot be read: {error}.", field="secret_file") from error
    if not secret:
        raise Invalid(f"secret_file: {path} is empty.", field="secret_file")
    return secret


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", field="config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not valid TOML: {error}.", field="config") from error
    if "secret" in values:
        raise Invalid(
            f"{path}: secret does not belong in this file: set ROUNDTABLE_SECRET, or name a secret_file.",
            field="secret",
        )
    _check_keys(path, values, _KEYS, "")
    custom = values.get("providers")
    for name, table in custom.items() if isinstance(custom, dict) else ():
        if isinstance(table, dict):
            _check_keys(path, table, Custom.__struct_fields__, f"providers.{name}.")
            _check_values(path, table, Custom, f"providers.{name}")
    _check_panels(path, values.get("panels"))
    _check_mcp(path, values.get("mcp"))
    for key in ("data", "secret_file"):
        if values.get(key) and isinstance(values[key], str):
            values[key] = _beside(path, values[key])
    folders = values.get("model_folders")
    if isinstance(folders, list) and all(isinstance(folder, str) for folder in folders):
        values["model_folders"] = [_beside(path, folder) for folder in folders]
    return values


def _beside(path: Path, named: str) -> str:
    """A path as it is named in the file `path`."""
    return str(path.parent / Path(named).expanduser())


def _check_mcp(path: Path, servers: Any) -> None:
    for name, server in servers.items() if isinstance(servers, dict) else ():
        where = f"mcp.{name}"
        if not re.fullmatch("[A-Za-z0-9_-]{1,32}", name):
            raise Invalid(f"{path}: {where}: a name has 1 to 32 letters, digits, _ and -.", field=where)
        if not isinstance(server, dict):
            continue
        _check_keys(path, server, McpServer.__struct_fields__, f"{where}.")
        if isinstance(server.get("cwd"), str):
            server["cwd"] = _beside(path, server["cwd"])
        _check_values(path, server, McpServer, where)
        if bool(server.get("command")) == bool(server.get("url")):
            raise Invalid(f"{path}: {where} has either a command or a url.", field=where)
        if (url := server.get("url")) and not re.match(r"https?://[^/@]+(/|$)", url):
            raise Invalid(
                f"{path}: {where}.url looks like https://tools.example.org/mcp.", field=f"{where}.url"
            )


def _check_panels(path: Path, panels: Any) -> None:
    for name, panel in panels.items() if isinstance(panels, dict) else ():
        if not isinstance(panel, dict):
            continue
        where = f"panels.{name}."
        _check_keys(path, panel, Panel.__struct_fields__, where)
        if isinstance(limits := panel.get("limits"), dict):
            _check_keys(path, limits, Limits.__struct_fields__, f"{where}limits.")
        seats = panel.get("panel")
        for index, seat in enumerate(seats if isinstance(seats, list) else ()):
            if isinstance(seat, dict):
                _check_keys(path, seat, Panelist.__struct_fields__, f"{where}panel[{index}].")
        _check_values(path, panel, Panel, f"panels.{name}")


def _check_values(path: Path, table: dict[str, Any], kind: type[msgspec.Struct], where: str) -> None:
    """A table that has a name of its own, which msgspec would not tell."""
    try:
        msgspec.convert(table, kind, dec_hook=_path)
    except msgspec.ValidationError as error:
        detail, _, place = str(error).partition(" - at `")
        key = place.rstrip("`").removeprefix("$.")
        for field in msgspec.structs.fields(kind):
            if field.name == key and get_origin(field.type) is Literal:
                detail = f"it is one of {', '.join(get_args(field.type))}"
        field_named = f"{where}.{key}" if key else where
        raise Invalid(f"{path}: {field_named}: {detail}.", field=field_named) from error


def _check_keys(path: Path, table: dict[str, Any], known: tuple[str, ...], prefix: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}."
            raise Invalid(f"{path}: {prefix}{key} is not a setting; {hint}", field=prefix + key)
