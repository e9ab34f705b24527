"""Who speaks next. A policy is a pure function of the Transcript: one file each, no I/O, no clock, no dice of its own.

`find` gives a policy by name; others register under the entry-point group `roundtable.policies`.
"""

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from protocol.errors import Invalid
from roundtable.policies.base import Plan, Seat, TurnPolicy
from roundtable.policies.floor_time import FloorTime
from roundtable.policies.parallel import Parallel
from roundtable.policies.reply import Reply
from roundtable.policies.round_robin import RoundRobin

__all__ = ["GROUP", "OURS", "REPLY", "Plan", "Seat", "TurnPolicy", "available", "blind", "concludes", "find"]

log = logging.getLogger("roundtable.policies")

GROUP = "roundtable.policies"
REPLY = Reply.name
"""How a thread shares the floor. No way for a table: it waits for a person, and says nothing by itself."""
_OURS = (RoundRobin(), Parallel(), FloorTime(), Reply())
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
        raise Invalid(f"There is no policy {name[:60]!r}; there is {', '.join(policies)}.", field="policy")
    return policies[name]


def blind(name: str) -> bool:
    """Whether that policy is `blind`; not, when it is not installed here."""
    policy = available().get(name)
    return policy is not None and policy.blind


def concludes(name: str) -> bool:
    """Whether tables under that policy end with a turn of the kind `verdict`: it says so by an attribute `verdict`,
    which a policy need not have."""
    return bool(getattr(available().get(name), "verdict", False))
