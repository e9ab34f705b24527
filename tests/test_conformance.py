"""Schemathesis against the server, briefly and the same each time; `make conformance` asks for longer."""

import pytest

from tests.conformance.__main__ import PROGRAM, check

# Of the four phases those that find most in a short time; `coverage` alone makes some 60 requests of each operation.
BRIEFLY = ("--phases", "examples,fuzzing,stateful", "--max-examples", "4", "--seed", "1")


@pytest.mark.skipif(not PROGRAM.exists(), reason="schemathesis is not installed")
@pytest.mark.timeout(300)
async def test_every_answer_is_as_documented() -> None:
    code, told = await check(*BRIEFLY)
    assert code == 0, told
    assert "incident" not in told
