"""What a server must be before we entrust a log to it. From INFO alone: hosted servers often forbid CONFIG."""

import re

from protocol.errors import LogUnavailable

# XRANGE with exclusive bounds, without which a page could not go on where the last one ended.
OLDEST = (6, 2)
_VOLATILE = "set `redis_volatile` (--redis-volatile) to accept that"


def check(info: bytes, at: str, *, volatile: bool) -> None:
    """Raises `LogUnavailable` for a server that is unfit. With `volatile` it need not keep what it is given.

    A policy of `volatile-*` evicts only keys that expire anyway, and nothing of the log does, so it is as good
    as `noeviction`; hosted servers often start with one.
    """
    facts = _parse(info)
    if complaint := _unfit(facts) or ("" if volatile else _forgetful(facts)):
        raise LogUnavailable(f"Redis at {at} {complaint}.", retryable=facts.get("loading") == "1")


def _parse(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {key: value.strip() for key, colon, value in lines if colon}


def _unfit(facts: dict[str, str]) -> str:
    version = re.match(r"(\d+)\.(\d+)", facts.get("redis_version", ""))
    if not version or (int(version[1]), int(version[2])) < OLDEST:
        told = f"is version {version[0]}" if version else "does not tell its version"
        return f"{told}, but the log needs {OLDEST[0]}.{OLDEST[1]} or newer, or Valkey: update it"
    if facts.get("redis_mode", "standalone") != "standalone" or facts.get("cluster_enabled") == "1":
        return (
            "runs in cluster or sentinel mode, which is not supported: give the address of a single primary "
            "(replicas behind it are welcome)"
        )
    if facts.get("loading") == "1":
        return "is still loading its data: it will answer when that is done"
    if facts.get("role", "master") != "master":
        primary = f"{facts.get('master_host', '?')}:{facts.get('master_port', '?')}"
        return f"is a replica, which cannot be written to: give the address of its primary, {primary}"
    return ""


def _forgetful(facts: dict[str, str]) -> str:
    if facts.get("aof_enabled") != "1":
        return f"would forget tables when it stops: set `appendonly yes` in its configuration, or {_VOLATILE}"
    if facts.get("maxmemory_policy", "").startswith("allkeys"):
        return (
            f"would throw tables away when its memory is full (maxmemory-policy {facts['maxmemory_policy']}): "
            f"set it to `noeviction`, or {_VOLATILE}"
        )
    return ""
