"""A server that fails in a row is left alone, asked once, and asked by all again when it answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ProviderError
from protocol.messages import Failure, Message
from providers import breaker
from providers.base import Chunk, Request, Stop, Text, Thinking, ToolCall
from providers.breaker import FAILURES, OPEN_FOR, PROBE_FOR, Asked, Breaker
from roundtable.table.asking import Asking, Deadlines
from tests.fake_time import run

REQUEST = Request("m", "", (Message("user", "Why?"),))
DOWN = ProviderError("No connection.", code="connection", retryable=True)
ANSWERS = [
    ProviderError("No key.", code="auth"),
    ProviderError("No such model.", code="model_not_found"),
    ProviderError("Slower.", code="rate_limited", retryable=True),
]


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(it: Breaker, now: Time, outcome: Exception | None = None, *, late: bool = False) -> None:
    """One request that ends at once: with an answer, an error, or nobody waiting for it any more."""
    with suppress(ProviderError, RuntimeError), it.asking(now, lambda: late) as asked:
        if outcome is None and not late:
            asked.answered()
        raise outcome or RuntimeError("cancelled")


def opened(now: Time) -> Breaker:
    it = Breaker("Ours")
    for _ in range(FAILURES):
        ask(it, now, DOWN)
    return it


def test_it_opens_after_failures_in_a_row_and_says_for_how_long() -> None:
    now, it = Time(), Breaker("Ours")
    for _ in range(FAILURES - 1):
        ask(it, now, DOWN)
        assert not it.left_alone(now())
    ask(it, now, late=True)
    with pytest.raises(
        ProviderError, match=r"Ours failed 5 times in a row; it is asked again in 30 s"
    ) as refused:
        it.asking(now, lambda: False)
    assert (refused.value.code, refused.value.retryable, refused.value.retry_after) == (
        breaker.CODE, True, OPEN_FOR,
    )  # fmt: skip


@pytest.mark.parametrize("answer", [*ANSWERS, None])
def test_a_refusal_is_an_answer(answer: Exception | None) -> None:
    now, it = Time(), Breaker()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            ask(it, now, DOWN)
        ask(it, now, answer)
    assert not it.left_alone(now())


def test_what_nobody_waited_for_says_nothing() -> None:
    now, it = Time(), Breaker()
    for _ in range(10):
        ask(it, now, RuntimeError("stopped"))
    assert not it.left_alone(now())


def test_then_one_asks_for_all() -> None:
    now = Time()
    it = opened(now)
    now.now = OPEN_FOR
    assert not it.left_alone(now())
    probe = it.asking(now, lambda: False)
    assert it.left_alone(now()) == PROBE_FOR
    with probe:
        probe.answered()
    assert not it.left_alone(now())
    ask(it, now, DOWN)
    assert not it.left_alone(now()), "it counts from the start"


def test_a_probe_that_fails_leaves_it_alone_again_and_one_that_was_stopped_does_not() -> None:
    now = Time()
    it = opened(now)
    now.now = OPEN_FOR
    ask(it, now, RuntimeError("stopped"))
    assert not it.left_alone(now()), "the next may look"
    ask(it, now, DOWN)
    assert it.left_alone(now()) == OPEN_FOR


def test_what_was_asked_before_is_no_news_while_it_is_left_alone_unless_it_answers() -> None:
    now, it = Time(), Breaker()
    early = [it.asking(now, lambda: False) for _ in range(2)]
    for _ in range(FAILURES):
        ask(it, now, DOWN)
    now.now = OPEN_FOR - 1
    with suppress(ProviderError), early[0]:
        raise DOWN
    assert it.left_alone(now()) == 1.0
    with early[1]:
        early[1].answered()
    assert not it.left_alone(now())


acts = st.lists(
    st.tuples(
        st.sampled_from(["ask", "answered", "failed", "stopped"]),
        st.integers(0, 5),
        st.sampled_from([0.0, 1.0, 40.0]),
    ),
    max_size=60,
)


@given(acts)
def test_whatever_happens_it_never_stays_shut_and_one_asks_at_a_time(
    steps: list[tuple[str, int, float]],
) -> None:
    now, it = Time(), Breaker()
    under_way, waits = list[Asked](), list[float]()
    for act, which, passes in steps:
        now.now += passes
        if act == "ask":
            try:
                under_way.append(it.asking(now, lambda: False))
            except ProviderError as error:
                waits.append(error.retry_after or 0.0)
        elif under_way:
            asked = under_way.pop(which % len(under_way))
            with suppress(ProviderError, RuntimeError), asked:
                if act == "answered":
                    asked.answered()
                raise DOWN if act == "failed" else RuntimeError("stopped")
    assert all(0 < wait <= OPEN_FOR for wait in waits)
    for asked in under_way:
        with suppress(RuntimeError), asked:
            raise RuntimeError("stopped")
    now.now += OPEN_FOR
    it.asking(now, lambda: False)


class Server:
    """One that hangs, fails or answers, as it is told, and counts who asks."""

    name, local, destination = "server", False, "nobody"

    def __init__(self, way: str) -> None:
        self.breaker = Breaker()
        self.way, self.asked = way, 0

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        self.asked += 1
        if self.way == "hang":
            await asyncio.sleep(1e6)
        if self.way == "fail":
            raise ProviderError("Down.", code="unavailable", retryable=True)
        yield Text("Yes.")
        yield Stop("end")

    async def close(self) -> None:
        pass


class Listener:
    def __init__(self) -> None:
        self.waits = list[float]()

    async def hear(self, chunk: Text | Thinking | ToolCall) -> bool:
        return True

    async def retrying(self, attempt: int, error: Failure, wait: float) -> None:
        self.waits.append(wait)


def asking(server: Server, listener: Listener, *, replaceable: bool = False) -> Asking:
    return Asking(
        server, REQUEST, listener, price=lambda _: None, deadlines=Deadlines(), label="", replaceable=replaceable
    )  # fmt: skip


@pytest.mark.parametrize("way", ["hang", "fail"])
def test_asking_models_tells_the_breaker(way: str) -> None:
    async def scenario() -> None:
        server, listener = Server(way), Listener()
        while not server.breaker.left_alone(asyncio.get_running_loop().time()):
            assert isinstance(await asking(server, listener).run(), Failure)
        assert server.asked == FAILURES
        instead = await asking(server, listener, replaceable=True).run()
        assert isinstance(instead, Failure)
        assert (instead.code, server.asked) == (breaker.CODE, FAILURES), (
            "who has another to ask does not wait"
        )
        server.way = "answer"
        listener, left = Listener(), server.breaker.left_alone(asyncio.get_running_loop().time())
        assert isinstance(await asking(server, listener).run(), Stop), (
            "who has none waits until it may be asked"
        )
        assert listener.waits[0] >= left > OPEN_FOR / 2

    run(scenario())


def test_stopping_a_turn_says_nothing_of_the_server() -> None:
    async def scenario() -> None:
        server = Server("hang")
        for _ in range(FAILURES):
            one = asking(server, Listener())
            task = asyncio.create_task(one.run())
            await asyncio.sleep(1)
            one.stop()
            await task
        assert not server.breaker.left_alone(asyncio.get_running_loop().time())

    run(scenario())
