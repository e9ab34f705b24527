"""One at a time, and a moderator says who, and on what question.

Before each speech she is asked (`moderation`) for a name, a question and a reason; the choice is an event, the
question is put to whom she named, and the reason stands beside the turn. She may also end the discussion. What cannot
be followed is asked for once more, with what was wrong; then the floor goes to whoever spoke least, and the reason
says so. Who holds the office moderates, else the chair, else the first of the panel; when one fails, the next of them
is asked. Nobody speaks twice in a row while another is present, unless asked by a person. A round is as many speeches
as there are panelists present, and costs as many calls again to the moderator.
"""

from protocol.findings import SpeakerChosen, TurnUnread
from protocol.kinds import MODERATION
from protocol.messages import Until
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import choices, ledger, officers
from roundtable.deliberation.brief import Brief
from roundtable.deliberation.reading import ATTEMPTS, complaint
from roundtable.policies import order
from roundtable.policies.base import Plan, Seat

# However often a choice is overtaken by what people say, the moderator is asked no more than so often for one speech.
_MOST_ASKED = 4


class Moderated:
    """Implements `TurnPolicy`."""

    name = "moderated"
    title = "A moderator asks"
    summary = "A moderator gives the floor to one at a time, with a question, and says why."
    blind = False
    until = Until(loop=True, passes=True)

    def plan(self, transcript: Transcript) -> Plan:
        """Implements `TurnPolicy.plan`."""
        plan = order.one_at_a_time(transcript)
        if plan is not None:
            return plan
        asked = _asked(transcript)
        if asked and (choice := _choice(transcript, asked[-1])):
            if not choice.speaker:
                return Plan(end="moderator")
            return Plan(queue=(Seat(choice.speaker, reason=_reason(choice), question=choice.question),))
        seat, why = _moderator(transcript, asked)
        if seat is None:
            seat = Seat(ledger.least_heard(transcript), reason=f"{why}; spoke least so far")
        return Plan(round=order.round_to_begin(transcript), queue=(seat,))

    def brief(self, transcript: Transcript, turn: Turn) -> Brief | None:
        """Of a choice, and of a turn with a question."""
        if turn.kind == MODERATION:
            return choices.brief(transcript, complaint(transcript, turn))
        if not turn.question:
            return None
        return choices.asked(turn.panelist, _asker(transcript, turn), turn.question)


def _asked(transcript: Transcript) -> list[Turn]:
    """The moderator's turns since the last speech that was not for a person."""
    asked = list[Turn]()
    for turn in transcript.sitting():
        if turn.kind == MODERATION:
            asked.append(turn)
        elif ledger.is_speech(turn) and turn.reason != order.ASKED:
            asked.clear()
    return asked


def _choice(transcript: Transcript, turn: Turn) -> SpeakerChosen | None:
    """What she chose in that turn, if it can still be done: who was named may have left or spoken since, and a
    discussion is not over when a person said something after she was asked."""
    for choice in transcript.found(SpeakerChosen):
        if choice.turn == turn.turn:
            later = any(message.seq > turn.started_seq for message in transcript.messages)
            stands = choice.speaker in ledger.candidates(transcript) if choice.speaker else not later
            return choice if stands else None
    return None


def _moderator(transcript: Transcript, asked: list[Turn]) -> tuple[Seat | None, str]:
    """Whom to ask for a choice, or why nobody is."""
    unread = {each.turn for each in transcript.found(TurnUnread)}
    unclear = sum(turn.turn in unread for turn in asked)
    if unclear >= ATTEMPTS or len(asked) >= _MOST_ASKED:
        return None, "the moderator named nobody"
    here = [panelist.name for panelist in officers.moderators(transcript)]
    if any(turn.status == "cancelled" and turn.panelist in here for turn in asked):
        return None, "the moderator was passed over"
    failed = {turn.panelist for turn in asked if turn.status == "failed"}
    for name in here:
        if name not in failed:
            return Seat(name, MODERATION, reason="once more, in the form asked" if unclear else ""), ""
    return None, "the moderator failed"


def _reason(choice: SpeakerChosen) -> str:
    return f"{choice.panelist}: {choice.reason}" if choice.reason else f"named by {choice.panelist}"


def _asker(transcript: Transcript, turn: Turn) -> str:
    """Whose question it is: who last gave the floor to her before that turn."""
    given = [each for each in transcript.found(SpeakerChosen) if each.speaker == turn.panelist]
    before = [each for each in given if transcript.turn(each.turn).seq < turn.seq]
    return before[-1].panelist if before else "moderator"
