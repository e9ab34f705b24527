"""Why a child, or one of its requests, came to an end, in a sentence for a person: with the file's name and no path."""

import re
import signal

from protocol.errors import ProviderError
from providers.failures import DETAIL_LIMIT, RETRYABLE

_PATH = re.compile(r"(?:[A-Za-z]:)?[/\\][^\s'\":]*[/\\]")
# What llama.cpp says of a file it refuses, before it says that it has failed.
_TELLING = re.compile(r"error loading model|GGML_ASSERT|GGML_ABORT|gguf_init|: failed to")


def closed() -> ProviderError:
    """The provider was closed, or the request stopped."""
    return _error("connection", "llama.cpp was closed.", retryable=True)


def refused(name: str, code: str, detail: str) -> ProviderError:
    """The child cannot answer this request, and can answer others."""
    return _error(code, f"{name}: {_clean(detail)}.", retryable=code in RETRYABLE)


def unloadable(name: str, detail: str, last_words: bytes) -> ProviderError:
    """llama.cpp does not take the file."""
    return _error(
        "internal", f"{name} cannot be loaded: {_clean(detail) or _telling(last_words) or 'no reason told'}."
    )


def unstartable(name: str, error: OSError) -> ProviderError:
    """No process for it."""
    return _error("internal", f"No process for {name} can be started: {error.strerror}.", retryable=True)


def hung(name: str) -> ProviderError:
    """No sign of life, or no answer to a stop."""
    return _error("timeout", f"The process of {name} did not react any more and was ended.", retryable=True)


def nonsense(name: str, error: Exception) -> ProviderError:
    """Its memory is damaged, presumably."""
    return _error("malformed", f"The process of {name} sent what is no message: {_clean(str(error))}.")


def died(name: str, code: int | None, last_words: bytes, *, ready: bool) -> ProviderError:
    """Nobody ended it. While loading it is the file's doing, and would be again; later, trying again may help."""
    how = "ended" if code is None or code >= 0 else f"ended by {_signal(-code)}"
    doing = "answering with" if ready else "loading"
    if code == -signal.SIGKILL:
        return _error(
            "internal", f"The process {doing} {name} was killed: is there memory enough?", retryable=ready
        )
    why = _telling(last_words)
    return _error(
        "internal", f"llama.cpp {how} while {doing} {name}{': ' if why else ''}{why}.", retryable=ready
    )


def again(error: ProviderError, wait: float | None = None) -> ProviderError:
    """The same failure for somebody else; with `wait`, for who asks again within that many seconds."""
    retryable = error.retryable or wait is not None
    return ProviderError(error.detail, code=error.code, retryable=retryable, retry_after=wait)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _telling(last_words: bytes) -> str:
    """The line that says why: the first that sounds like it, else the last."""
    lines = [line for line in last_words.decode(errors="replace").splitlines() if line.strip()]
    return _clean(next((line for line in lines if _TELLING.search(line)), lines[-1] if lines else ""))


def _clean(text: str) -> str:
    """One line without control characters and paths, of bounded length: the file may have a say in it."""
    text = _PATH.sub("", " ".join(text.split()))
    return "".join(char for char in text if char.isprintable())[: DETAIL_LIMIT - 100].rstrip(". ")


def _error(code: str, detail: str, *, retryable: bool = False) -> ProviderError:
    return ProviderError(detail, code=code, retryable=retryable)
