"""How property tests search: anew for a developer, always the same way where a landing depends on it. And a Redis."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.redis_server import RedisServer

# No test asserts on the clock, hypothesis' own deadline included.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "developer")


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis of this test's own, which it may kill."""
    with tempfile.TemporaryDirectory(
        prefix="roundtable-redis-"
    ) as directory:  # a short path: a socket's has 107 bytes
        server = RedisServer(Path(directory))
        yield server
        server.kill()
