"""Those who compute take turns, one in each turn of the loop."""

import asyncio

from roundtable.invocations.breath import Breath

LONG_AGO = -1.0


class Loop:
    """Counts the turns of the loop, as anyone else on it would see them."""

    def __init__(self) -> None:
        self.turns = 0
        self._tick()

    def _tick(self) -> None:
        self.turns += 1
        self._handle = asyncio.get_running_loop().call_soon(self._tick)

    def stop(self) -> None:
        self._handle.cancel()


async def drawn(breath: Breath, name: str, times: int, told: list[tuple[str, int]], loop: Loop) -> None:
    for _ in range(times):
        await breath.draw(LONG_AGO)
        told.append((name, loop.turns))


async def test_one_in_a_turn_of_the_loop_and_each_as_often() -> None:
    loop, breath, told = Loop(), Breath(), list[tuple[str, int]]()
    await asyncio.gather(*(drawn(breath, name, 20, told, loop) for name in "abcde"))
    loop.stop()
    assert [name for name, _ in told] == list("abcde" * 20)
    turns = [turn for _, turn in told]
    assert len(set(turns)) == len(turns)


async def test_who_has_not_computed_for_long_need_not_wait() -> None:
    loop, breath = Loop(), Breath()
    now = asyncio.get_running_loop().time() + 3600
    assert await breath.draw(now) == now
    assert loop.turns == 1
    loop.stop()


async def test_who_was_cancelled_while_waiting_takes_no_turn() -> None:
    loop, breath, told = Loop(), Breath(), list[tuple[str, int]]()
    tasks = [asyncio.create_task(drawn(breath, name, 1, told, loop)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.wait(tasks)
    await drawn(breath, "d", 1, told, loop)
    loop.stop()
    assert [name for name, _ in told] == ["c", "d"]
