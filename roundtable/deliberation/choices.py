"""A moderator's choice (`moderation`): who speaks next, on what question, and why; or that enough was said."""

from typing import Annotated

import msgspec

from protocol.findings import ANY, SpeakerChosen
from protocol.transcript import Transcript, Turn
from roundtable.deliberation import ledger
from roundtable.deliberation.answers import Unread, named, one_line, parse, plain
from roundtable.deliberation.brief import Brief, said, subject

# Characters. A question is a sentence or two, a reason fits beside a name.
QUESTION, REASON, PERSONA = 400, 160, 120
# Tokens of an answer. With all of these it is under 200; the rest is for a model that thinks first, whose thoughts
# count as well.
MOST = 1_024
_NOBODY = ("", "nobody", "no one", "none", "null")

_TASK = """\
You moderate this discussion of {subject}: you give the floor. Choose who speaks next, and put one question to them \
that moves the panel forward: on an objection nobody answered, a claim without evidence, a side not yet heard; none \
that was asked before.
Who may be chosen, with what each has spoken so far:
{floor}
Answer with one JSON object and nothing else:
{{"speaker": "<a name from the list>", "question": "<one sentence, to them>", "reason": "<why them, in a few words>"}}
If nothing is left that is worth a turn: {{"speaker": null, "reason": "<why>"}}"""


class _Choice(msgspec.Struct):
    speaker: str | Annotated[list[str], msgspec.Meta(min_length=1, max_length=1)] | None
    question: object = None
    reason: object = None


def brief(transcript: Transcript, complaint: str) -> Brief:
    """What the moderator is asked; `complaint` is what was wrong with her last answer."""
    tokens = ledger.spoken(transcript)
    turns = [turn.panelist for turn in ledger.speeches(transcript) if turn.started_seq]
    names = ledger.candidates(transcript)
    floor = "\n".join(
        f"- {panelist.name}{_who(panelist.persona)}: {turns.count(panelist.name)} turns, {tokens[panelist.name]} tokens"
        for panelist in transcript.panel
        if panelist.name in names
    )
    task = _TASK.format(floor=floor, subject=subject(transcript))
    return Brief(task="\n\n".join(filter(None, (complaint, task))), clerk=True, most=MOST)


def asked(panelist: str, moderator: str, question: str) -> Brief:
    """What the chosen one is asked."""
    words = said(moderator, question)
    return Brief(task=f"{words}\n\nThat is the moderator's question to you. You have the floor, {panelist}.")


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """The choice; a speaker who is empty is nobody, and a name alone is one who is asked nothing in particular. Raises
    `Unread` when it is not one that can be followed."""
    alone = named(turn.text, ledger.candidates(transcript))
    choice = _Choice(alone) if alone else parse(turn.text, _Choice)
    return [
        SpeakerChosen(
            turn=turn.turn,
            panelist=turn.panelist,
            round=turn.round,
            speaker=_speaker(transcript, plain(choice.speaker)),
            question=one_line(plain(choice.question), QUESTION),
            reason=one_line(plain(choice.reason), REASON),
        )
    ]


def _who(persona: str) -> str:
    return f" ({one_line(persona, PERSONA)})" if persona else ""


def _speaker(transcript: Transcript, words: str) -> str:
    names = ledger.candidates(transcript)
    if name := named(words, names):
        return name
    choices = f"Choose one of {', '.join(names)}."
    if known := named(words, [panelist.name for panelist in transcript.panel]):
        raise Unread(f"{known} {_why_not(transcript, known)}. {choices}")
    if named(words, _NOBODY) is None:
        raise Unread(f"Nobody is called {one_line(words, 40)!r}. {choices}")
    if not any(each.status == "completed" for each in ledger.speeches(transcript)):
        raise Unread(f"Nobody has spoken yet. {choices}")
    return ""


def _why_not(transcript: Transcript, name: str) -> str:
    if all(panelist.name != name for panelist in transcript.here()):
        return "is not here"
    seat = transcript.seat(name)
    return f"is the {seat.role} and takes no part" if seat and seat.role else "spoke last"
