"""What Redis's refusals mean to us: one sentence each, naming the address, whose fault it is and what to do.

A server's own words are bytes from the network: they are cut short and freed of control characters. Passwords are
never among them, and the address is composed without one.
"""

import re

from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError

from protocol.errors import LogDamaged, LogError, LogUnavailable

# Characters of a server's own words that we repeat.
_WORDS = 160
# The first word of an error is its code, but Redis 6.2 wraps those from within a script. Checked in this order.
_SENTENCES = {
    "READONLY": "{at} is a read-only replica: give the address of its primary.",
    "OOM": "{at} is at its memory limit: raise its `maxmemory`, or delete tables.",
    "MISCONF": "{at} cannot write to its disk, so it accepts nothing: make room there and see its log.",
    "LOADING": "{at} is still loading its data: it will answer when that is done.",
    "NOREPLICAS": "{at} reaches too few of its replicas to accept writes (`min-replicas-to-write`).",
    "MASTERDOWN": "{at} is a replica that has lost its primary: give the address of the primary.",
    "BUSY": "{at} is busy with somebody's long script: it will answer when that is done, or killed.",
    "NOAUTH": "{at} wants a password: put it in the URL, as in redis://user:password@host.",
    "WRONGPASS": "{at} refuses the URL's user name or password: mend the URL.",
    "NOPERM": "{at} does not permit its user what the log needs ({words}): see roundtable/log/README.md for the rules.",
    "MOVED": "{at} is part of a Redis Cluster, which is not supported: give a single primary.",
    "CROSSSLOT": "{at} is part of a Redis Cluster, which is not supported: give a single primary.",
    "CLUSTERDOWN": "{at} is part of a Redis Cluster, which is not supported: give a single primary.",
    "WRONGTYPE": "{at} holds something else under a key of ours: somebody else writes to rt:*.",
}
_CODE = re.compile(rf"\b({'|'.join(_SENTENCES)})\b")
# How 6.2 and 7 say NOPERM when the denied command stands in a script.
_DENIED_IN_SCRIPT = re.compile("ACL failure|user executing the script", re.IGNORECASE)
# No retry helps against these: a person has to change something.
_LASTING = {"NOAUTH", "WRONGPASS", "NOPERM", "MOVED", "CROSSSLOT", "CLUSTERDOWN"}


def translate(error: Exception, at: str) -> LogError:
    """The `LogError` for what redis-py raised or Redis answered; `at` is the server's address for people."""
    words = _words(error)
    code = _code(error, words)
    if code is None:
        return LogUnavailable(_unknown(error, at, words))
    detail = _SENTENCES[code].format(at=f"Redis at {at}", words=words)
    if code == "WRONGTYPE":
        return LogDamaged(detail)
    return LogUnavailable(detail, retryable=code not in _LASTING)


def damaged(at: str, what: str) -> LogDamaged:
    """The store holds something that we did not write."""
    return LogDamaged(f"The log in Redis at {at} is damaged: {what}.")


def again(error: LogError) -> LogError:
    """The same error for one more to raise: each who waits needs its own, as a traceback grows with each raise."""
    copy = type(error)(error.detail, code=error.code, retryable=error.retryable)
    copy.__cause__ = error.__cause__
    return copy


def _code(error: BaseException | None, words: str) -> str | None:
    while (
        error is not None
    ):  # a unix socket's refusals come wrapped, and redis-py cuts the code from the text
        if isinstance(error, RedisError) and error.status_code in _SENTENCES:
            return error.status_code
        if isinstance(error, BusyLoadingError):
            return "LOADING"
        if isinstance(error, AuthenticationError):
            return "WRONGPASS"
        error = error.__cause__
    if _DENIED_IN_SCRIPT.search(words):
        return "NOPERM"
    found = _CODE.search(words)
    return found[1] if found else None


def _words(error: Exception) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in str(error)[:_WORDS])


def _unknown(error: Exception, at: str, words: str) -> str:
    if isinstance(error, TimeoutError):
        return f"Redis at {at} does not answer: see that it runs and is not overloaded."
    return f"Redis at {at} cannot be used ({words}): see that it runs and that the address is right."
