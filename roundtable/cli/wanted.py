"""How a table is to be held, as typed: by which method, how long, and whether it comes to a verdict."""

import argparse
from typing import Any

from protocol.messages import Limits, Until
from roundtable import policies

POLICY = policies.OURS[0]
# An answer, and one reply to the others.
ROUNDS = 2
_WORDS = ("passes", "loop", "consensus")


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument(
        "--policy", metavar="NAME", help=f"who speaks when (default: {POLICY}); `roundtable policies` lists"
    )
    parser.add_argument("--rounds", metavar="N", type=int, help="at most so many")
    parser.add_argument(
        "--max-dollars", metavar="X", type=float, help="end the table when it has cost so much"
    )
    parser.add_argument(
        "--until",
        metavar="WHAT,...",
        type=until,
        help="what ends it sooner: passes (nobody has more to say), loop, consensus, convergence=0.2, or none",
    )
    parser.add_argument(
        "--verdict",
        action=argparse.BooleanOptionalAction,
        help="come to a verdict in the end, or not (default: as the policy has it)",
    )


def read(args: argparse.Namespace) -> dict[str, Any]:
    """What was said of it, by the names that `Tables.convene`, `fork` and `save_panel` have."""
    return {
        "policy": args.policy,
        "limits": limits(args.rounds, args.max_dollars),
        "verdict": args.verdict,
        "until": args.until,
    }


def limits(rounds: int | None, dollars: float | None) -> Limits | None:
    """None where neither is set."""
    return None if rounds is None and dollars is None else Limits(max_rounds=rounds, max_dollars=dollars)


def rounds(policy: str | None) -> int | None:
    """How many a question gets unless said; None where the method has a length of its own."""
    return ROUNDS if (policy or POLICY) in _OPEN_ENDED else None


_OPEN_ENDED = frozenset({"round_robin", "parallel", "floor_time", "moderated", "raise_hand"})


def until(text: str) -> Until:
    """The type of `--until`."""
    found: dict[str, Any] = {}
    for word in filter(None, text.replace(" ", "").split(",")):
        name, equals, value = word.partition("=")
        if name == "convergence" and equals:
            found[name] = _number(value)
        elif word in _WORDS:
            found[word] = True
        elif text != "none":
            raise argparse.ArgumentTypeError(
                f"{word!r} ends nothing; there is {', '.join(_WORDS)}, convergence=0.2, or none"
            )
    return Until(**found)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"convergence={text!r} is no number from 0 to 1, such as 0.2"
        ) from None
