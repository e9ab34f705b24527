"""Who speaks next. A policy is a pure function of the Transcript: one file each, no I/O, no clock, no dice of its own.

`find` gives a policy by name; others register under the entry-point group `roundtable.policies`.
"""

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from protocol.errors import Invalid
from protocol.kinds import SPEECH
from protocol.messages import Until
from protocol.transcript import Transcript, Turn
from roundtable.deliberation.brief import Brief, same_round
from roundtable.deliberation.paperwork import BRIEFS
from roundtable.policies.base import Plan, Seat, TurnPolicy
from roundtable.policies.council import Council
from roundtable.policies.debate import Debate
from roundtable.policies.delphi import Delphi
from roundtable.policies.floor_time import FloorTime
from roundtable.policies.moderated import Moderated
from roundtable.policies.order import ASKED
from roundtable.policies.parallel import Parallel
from roundtable.policies.raise_hand import RaiseHand
from roundtable.policies.red_team import RedTeam
from roundtable.policies.reply import Reply
from roundtable.policies.round_robin import RoundRobin

__all__ = [
    "GROUP", "OURS", "REPLY", "Plan", "Seat", "TurnPolicy", "available", "brief", "concludes", "find", "least",
    "rounds", "until",
]  # fmt: skip

log = logging.getLogger("roundtable.policies")

GROUP = "roundtable.policies"
REPLY = Reply.name
"""How a thread shares the floor. No way for a table: it waits for a person, and says nothing by itself."""
_OURS = (
    RoundRobin(), Parallel(), FloorTime(), Moderated(), RaiseHand(), Debate(), Delphi(), Council(), RedTeam(), Reply(),
)  # fmt: skip
OURS = tuple(policy.name for policy in _OURS if policy.name != REPLY)
"""Those for tables that need no other package, the default first."""


@cache  # looking for installed packages reads the disk, for 2 ms of the loop's time; policies keep no state
def available() -> Mapping[str, TurnPolicy]:
    """Every policy there is, by name; ours first and not to be replaced. One that does not load is left out."""
    found: dict[str, TurnPolicy] = {policy.name: policy for policy in _OURS}
    for point in entry_points(group=GROUP):
        try:
            policy: TurnPolicy = point.load()()
            found.setdefault(policy.name, policy)
        except (Exception, SystemExit) as error:  # whatever another package does, tables go on
            log.warning("the installed policy %s cannot be used", point.name, exc_info=error)
    return found


def find(name: str) -> TurnPolicy:
    """The policy of that name; raises `Invalid` (`policy`) and says which there are."""
    policies = available()
    if name not in policies:
        known = ", ".join(each for each in policies if each != REPLY)
        raise Invalid(f"There is no policy {name[:60]!r}; there is {known}.", field="policy")
    return policies[name]


def concludes(name: str) -> bool:
    """Whether tables under that policy come to a verdict unless asked otherwise."""
    return bool(getattr(available().get(name), "verdict", False))


def until(name: str) -> Until:
    """What ends discussions under that policy unless asked otherwise."""
    found: Until = getattr(available().get(name), "until", Until())
    return found


def least(name: str) -> int:
    """How many panelists that policy needs."""
    return int(getattr(available().get(name), "least", 1))


def rounds(name: str) -> int | None:
    """How many rounds it has where nobody set a limit; None: as many as any table."""
    found: int | None = getattr(available().get(name), "rounds", None)
    return found


def _nothing_special(_transcript: Transcript, _turn: Turn) -> None:
    return None


def brief(transcript: Transcript, turn: str) -> Brief:
    """What that turn is asked for, and what its prompt shows: by who asked for it, its kind, and the policy, which may
    hide names in any of them."""
    state, policy = transcript.turn(turn), available().get(transcript.policy)
    found = _brief(transcript, state, policy)
    veil = getattr(policy, "veil", None)
    return found if veil is None else veil(transcript, state, found)


def _brief(transcript: Transcript, state: Turn, policy: TurnPolicy | None) -> Brief:
    if state.reason == ASKED and state.kind == SPEECH:
        return Brief()  # whoever a person asks by name hears everything
    own: Brief | None = getattr(policy, "brief", _nothing_special)(transcript, state)
    if own is not None:
        return own
    if state.kind in BRIEFS:
        return BRIEFS[state.kind](transcript, state)
    blind = policy is not None and policy.blind
    return Brief(unheard=same_round(transcript, state)) if blind else Brief()
