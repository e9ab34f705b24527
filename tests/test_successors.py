"""Wherever a node dies, the next owner brings a method to its end, and nothing is counted, read or measured twice."""

from collections import Counter
from collections.abc import Mapping
from itertools import accumulate

import pytest

from protocol.findings import Entropy, TallyCounted, VoteCast
from protocol.kinds import ANSWER, ATTACK, CLOSING, OPENING, PROPOSAL, REBUTTAL, REVISION
from tests import fake_time
from tests.scene import Scene, Step

VOICES: Mapping[str, list[Step]] = {
    name: [f'POSITION: Only {name}.\n{{"vote": "for"}}', 0.5, " So."] for name in ("Ada", "Ben", "Cleo")
}
# What each method holds in three rounds. Votes, and all that a red team says, are asked for again where a node died in
# the midst of them; a speech or an answer is lost, as under every policy.
SPEECHES = {
    "debate": {OPENING: 2, REBUTTAL: 2, CLOSING: 2},
    "delphi": {ANSWER: 9},
    "red_team": {PROPOSAL: 1, ATTACK: 6, REVISION: 3},
}


async def _survived(policy: str, whole: Scene | None, entries: int) -> Scene:
    scene = Scene(policy, VOICES, max_rounds=3)
    if whole is None:
        await scene.play()
        return scene
    scene.log.records = whole.log.records[:entries]
    if scene.table.status != "closed":
        await scene.owner.take_over(scene.table)
        async with scene.held():
            pass
    return scene


@pytest.mark.parametrize("policy", SPEECHES)
def test_wherever_a_node_dies_its_successor_comes_to_the_same_end(policy: str) -> None:
    whole = fake_time.run(_survived(policy, None, 0))
    for entries in accumulate(whole.log.appends):
        table = fake_time.run(_survived(policy, whole, entries)).table
        assert (table.status, table.ended_reason) == ("closed", "max_rounds")
        done = Counter(turn.kind for turn in table.turns if turn.status == "completed")
        died = [turn for turn in table.turns if turn.status == "failed"]
        assert all(turn.error and turn.error.code == "interrupted" for turn in died)
        for kind, count in SPEECHES[policy].items():
            lost = 0 if policy == "red_team" else sum(turn.kind == kind for turn in died)
            assert done[kind] + lost == count, entries
        measured = [entropy.round for entropy in table.found(Entropy)]
        assert measured in ([1, 2, 3], [2, 3], [1, 3], [1, 2]), (
            entries
        )  # of a round that was lost there is nothing
        assert [tally.ballots for tally in table.found(TallyCounted)] == [3] * (policy == "debate")
        assert len(table.found(VoteCast)) == 6 * (policy == "debate")
