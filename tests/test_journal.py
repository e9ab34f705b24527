"""What a command writes of an error that it logs."""

import io
import logging

import pytest

from protocol.errors import Conflict, LogDamaged
from roundtable.cli import journal


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard error; the root logger is as in a new process, and as it was in the end."""
    monkeypatch.setattr(logging, "root", logging.RootLogger(logging.WARNING))
    monkeypatch.setattr("sys.stderr", text := io.StringIO())
    journal.begin("%(levelname)s %(message)s")
    return text


def log(error: BaseException) -> None:
    logging.root.error("It broke", exc_info=error)


def test_a_trouble_of_the_store_is_its_sentence(written: io.StringIO) -> None:
    log(LogDamaged("Mend it."))
    log(ExceptionGroup("of tasks", [LogDamaged("Mend it."), ExceptionGroup("inner", [Conflict("Stop.")])]))
    assert written.getvalue() == "ERROR It broke\nMend it.\nERROR It broke\nMend it.\nStop.\n"


def test_of_a_bug_the_traceback_is_wanted(written: io.StringIO) -> None:
    log(ZeroDivisionError("by zero"))
    log(ExceptionGroup("of tasks", [LogDamaged("Mend it."), ZeroDivisionError("by zero")]))
    assert written.getvalue().count("ZeroDivisionError: by zero") == 2
