"""How streams lie in Redis has a number, so that no older program misreads what a newer one wrote."""

from protocol.errors import LogUnavailable
from roundtable.log.redis_connection import Pool, command
from roundtable.log.redis_errors import damaged

# Raise it when an older program could misread the keys; whoever raises it also writes what brings an older one here.
FORMAT = 1
KEY = "rt:format"


async def settle(pool: Pool) -> None:
    """Mark a new database with our format. Raises `LogUnavailable` for a newer one, `LogDamaged` for none at all."""
    at = pool.address.name
    _, found = await pool.ask_all([command("SET", KEY, FORMAT, "NX"), command("GET", KEY)])
    if not found.isdigit():
        raise damaged(at, f"{KEY} is {found[:40].decode(errors='replace')!r} and not a number")
    if int(found) > FORMAT:
        raise LogUnavailable(
            f"Redis at {at} was written by a newer roundtable (format {int(found)}; this one reads {FORMAT}). "
            "Upgrade, or choose another database.",
            retryable=False,
        )
