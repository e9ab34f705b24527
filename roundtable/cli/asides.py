"""What goes on beside the talk, in a line or two for a terminal: why she speaks, what was bid, voted and measured."""

from protocol import events as e
from protocol import findings as f
from protocol import kinds
from protocol.views import words

# Reasons of a turn that are a word for programs.
_REASONS = {"asked": "asked by name", "swapped": "in another's place"}
_MEASURED = {"lexical": "by a lexical measure", "embedding": "by embeddings"}
_UNITS = {"max_turns": "turns", "max_rounds": "rounds", "max_tokens": "tokens", "max_seconds": "seconds"}


def why(event: e.TurnQueued) -> str:
    """Why she has the floor, and what she was asked, as a stage direction; empty where it is just her turn."""
    if event.kind == kinds.VERDICT:
        return "(for the verdict)"
    reason = _REASONS.get(event.reason, event.reason)
    told = [reason, f"asked: {event.question}" if event.question else ""]
    return f"({'; '.join(filter(None, told))})" if any(told) else ""


def quiet(event: e.Event) -> str:
    """A step of a method, for who wants to follow it; empty where there is nothing to tell."""
    match event:
        case f.BidMade():
            return f"{event.panelist} bids {event.urgency} of 10{_because(event.about)}"
        case f.SpeakerChosen(speaker=""):
            return f"{event.panelist} ends the discussion{_because(event.reason)}"
        case f.VoteCast():
            return f"{event.panelist} votes {event.choice}{_because(event.reason)}"
        case f.BallotCast():
            return f"{event.panelist} ranks {', '.join(event.ranking)}."
        case f.TurnUnread():
            return f"{event.panelist} could not be read{_because(event.detail)}"
        case f.Entropy():
            model = f" of {event.model}" if event.model else ""
            return f"Dispersion of round {event.round}: {event.value:.2f}, {_MEASURED[event.method]}{model}."
        case _:
            return ""


def note(event: e.Event) -> str:
    """What concerns the table as a whole; empty where there is nothing to tell."""
    match event:
        case e.RoundStarted():
            return f"Round {event.round}"
        case e.HandRaised():
            return f"{event.author} asks for the floor."
        case e.TableTitled(title=""):
            return "The table has no title now."
        case e.TableTitled():
            return f"The table is called {event.title!r} now."
        case e.MaterialAdded():
            return f"{event.author} laid {event.name!r} on the table{', cut short' if event.cut else ''}."
        case e.PanelChanged():
            return _changed(event)
        case e.TableConcluding():
            over = words.REASONS.get(event.reason, event.reason.replace("_", " "))
            return f"The discussion is over: {over}. What follows is the verdict."
        case _:
            return _found(event)


def _found(event: e.Event) -> str:
    match event:
        case f.TallyCounted():
            return _tally(event)
        case f.Converge():
            return f"Dispersion fell to {event.value:.2f}, below {event.threshold:.2f}, {_MEASURED[event.method]}."
        case f.StressTested():
            return _tested(event)
        case f.BudgetWarned():
            return f"{_amount(event.name, event.used)} of {_amount(event.name, event.limit)} are used."
        case f.BudgetDegraded():
            return f"{event.measure.replace('_', ' ').capitalize()}. {event.detail}"
        case _:
            return ""


def _tally(event: f.TallyCounted) -> str:
    scores = [
        f"{name} {score:g}{f' ({event.swing[name]:+d})' if event.swing.get(name) else ''}"
        for name, score in sorted(event.scores.items(), key=lambda each: -each[1])
    ]
    what, most = ("Points", "points") if event.kind == kinds.BALLOT else ("Votes", "votes")
    told = [
        f"{what}: {', '.join(scores) or 'none'}.",
        f"Most {most}: {event.winner}." if event.winner else "",
    ]
    if event.condorcet and event.condorcet != event.winner:
        told.append(f"In pairs {event.condorcet} beats every other: the rules differ.")
    return " ".join(filter(None, told))


def _tested(event: f.StressTested) -> str:
    survives = {True: "under every variation", False: "not under every variation", None: "as far as is known"}
    who = f"{event.winner} wins {survives[event.survives]}" if event.winner else "Nobody wins"
    ways = ", ".join(f"{each.name}: {each.winner or each.detail or 'nobody'}" for each in event.variations)
    return f"Judged again, {who}. {ways}"


def _changed(event: e.PanelChanged) -> str:
    seat, who = event.seat, event.panelist
    if seat is None:
        return f"{who} was {event.change}."
    if seat.name != who:
        return f"{seat.name} ({seat.model}) takes {who}'s place."
    return f"{who} {'joins' if event.change == 'added' else 'speaks on'} through {seat.model}."


def _amount(name: str, value: float) -> str:
    return f"${value:.4f}" if name == "max_dollars" else f"{value:,.0f} {_UNITS.get(name, name)}"


def _because(text: str) -> str:
    return f": {text.rstrip('.')}." if text else "."
