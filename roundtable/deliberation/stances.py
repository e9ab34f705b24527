"""Who stands where on what: after a round the chair writes it down, and what she writes is held against the log.

She names the claims and reads the stances; whether one moved is counted here, names and claims that are nobody's are
dropped, and what somebody is quoted with must stand in her words. A model that cannot do it is asked twice at a table
in all: then there is no map, rather than a guess.
"""

import re
from collections.abc import Iterable

import msgspec

from protocol import kinds
from protocol.findings import ANY, ClaimMade, Position, StanceTaken, TurnUnread
from protocol.transcript import Transcript, Turn
from protocol.views import positions
from roundtable.deliberation import record
from roundtable.deliberation.answers import Unread, named, one_line, parse, plain
from roundtable.deliberation.brief import Brief
from roundtable.deliberation.fences import fenced

# Claims of one sitting: what a reader can hold in mind, and what bounds the prompt however long the table is.
MOST_CLAIMS = 12
# Characters of a claim, a reason or a quotation that are kept: two or three lines.
LONGEST = 300
# Turns of a table, in all, that come to nothing before it is given up: one, and one more with what was wrong.
MOST_LOST = 2
_POSITIONS: dict[str, Position] = {
    "support": "support", "supports": "support", "for": "support", "agree": "support", "agrees": "support",
    "oppose": "oppose", "opposes": "oppose", "against": "oppose", "disagree": "oppose", "disagrees": "oppose",
    "unsure": "unsure", "undecided": "unsure", "uncertain": "unsure", "neutral": "unsure",
}  # fmt: skip
_LABEL = re.compile(r"(?:claim\s*)?c?(\d{1,6})")

_TASK = """\
Do not discuss: keep the record of who stands where. Above is what was said in round {round}, by {names}.
{claims}
Add claims that were made in this round and that one can be for or against, if they matter to the topic and are not \
there yet: at most four, numbered from c{next}. Then say where each of {names} stands on each claim, old and new, as \
far as their own words of this round show it: support, oppose or unsure, in these words. Leave out \
what the words do not show.
Answer with one JSON object and nothing else:
{{"claims": [{{"claim": "c{next}", "text": "one sentence", "by": "{first}"}}],
 "stances": [{{"panelist": "{first}", "claim": "c1", "stance": "support" | "oppose" | "unsure", \
"reason": "in a few words", "quote": "her own words, exactly", "moved_by": "whose argument changed her mind, or \
empty", "new_argument": true}}]}}
`new_argument` is false where she changed her mind though nothing was said that she had not heard before."""


class _Claim(msgspec.Struct):
    text: object = None
    claim: object = None
    by: object = None


class _Stance(msgspec.Struct):
    """One of many: what is odd about it makes nothing of the others unreadable."""

    panelist: object = None
    claim: object = None
    stance: object = None
    reason: object = None
    quote: object = None
    moved_by: object = None
    new_argument: object = None


class _Answer(msgspec.Struct):
    stances: list[_Stance]
    claims: list[_Claim | str] | None = None


def given_up(transcript: Transcript) -> bool:
    """Whether nobody at this table could keep the record: it is not asked for again, and what there is is no map."""
    return len(_lost(transcript)) >= MOST_LOST


def mapped(transcript: Transcript, since: int | None = None) -> bool:
    """Whether there is a map of this sitting, or of what came after entry `since`."""
    return not given_up(transcript) and bool(
        positions.rows(transcript, transcript.base_seq if since is None else since)
    )


def due(transcript: Transcript) -> bool:
    """Whether this round is still to be put on record: two or more spoke in it, and it was not yet asked for, or not
    heard to the end for a reason of our own."""
    if given_up(transcript) or not _is_discussed(transcript, transcript.round):
        return False
    asked = [
        turn for turn in transcript.sitting()
        if turn.kind == kinds.STANCES and turn.round == transcript.round and not record.stopped_by_us(turn)
    ]  # fmt: skip
    unread = {each.turn for each in transcript.found(TurnUnread)}
    return all(turn.turn in unread for turn in asked)


def consensus(transcript: Transcript) -> bool:
    """Whether everyone who is here supported something in the round on record, and nobody opposes anything."""
    if not mapped(transcript):
        return False
    here = {panelist.name for panelist in transcript.present()}
    taken = [stance for stance in transcript.found(StanceTaken) if stance.round == transcript.round]
    now = [stance for row in positions.rows(transcript, transcript.base_seq) for stance in row.now().values()]
    return (
        bool(here)
        and here <= {stance.panelist for stance in taken if stance.stance == "support"}
        and not any(stance.stance == "oppose" and stance.panelist in here for stance in now)
    )


def told(transcript: Transcript, since: int) -> str:
    """The map after entry `since` for a prompt, one line a claim, fenced as what it is: a model's words."""
    lines = []
    for row in positions.rows(transcript, since):
        stood = "; ".join(
            f"{name}: {stance.stance}" + (f" ({stance.reason})" if stance.reason else "")
            for name, stance in row.now().items()
        )
        lines.append(f"{row.claim.claim}: {row.claim.text} [{stood}]")
    return fenced("said", "\n{}\n".format("\n".join(lines))) if lines else ""


def brief(transcript: Transcript, turn: Turn, complaint: str = "") -> Brief:
    """What the chair is asked: she is shown that round and the claims so far, so the prompt grows with neither."""
    said = _said(transcript, turn)
    names = list(dict.fromkeys(each.panelist for each in said))
    shown = {each.turn for each in said}
    since = min((each.seq for each in said), default=turn.seq)
    task = _TASK.format(
        round=turn.round, names=", ".join(names), first=names[0] if names else "NAME",
        claims=_so_far(transcript), next=_made(transcript) + 1,
    )  # fmt: skip
    return Brief(
        task=f"{complaint}\n\n{task}" if complaint else task,
        unheard=frozenset(
            [each.turn for each in transcript.turns if each.turn not in shown]
            + [message.message for message in transcript.messages if message.seq < since]
        ),
        clerk=True,
    )


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """New claims, then stances. Raises `Unread` when there is no stance of anybody who spoke."""
    answer = parse(turn.text, _Answer)
    made, labels = _claims(transcript, turn, answer.claims or [])
    taken = _stances(transcript, turn, answer.stances, labels)
    if not taken:
        raise Unread("It has no stance of a panelist who spoke in this round on a claim that is on record.")
    return [*made, *taken]


def _claims(
    transcript: Transcript, turn: Turn, asked: list[_Claim | str]
) -> tuple[list[ClaimMade], dict[str, str]]:
    """Those that are new, and what each label in the answer means."""
    known = transcript.found(ClaimMade)
    labels = {claim.claim: claim.claim for claim in known}
    same = {_plain(claim.text): claim.claim for claim in known}
    made: list[ClaimMade] = []
    for place, each in enumerate(asked, _made(transcript) + 1):
        claim = _Claim(each) if isinstance(each, str) else each
        text = one_line(plain(claim.text), LONGEST)
        label = _label(claim.claim) or f"c{place}"  # as they were to be numbered
        fresh = text and _plain(text) not in same and label not in labels
        if fresh and len(known) + len(made) < MOST_CLAIMS:
            id = f"c{_made(transcript) + len(made) + 1}"
            by = _last(_said(transcript, turn), plain(claim.by))
            made.append(
                ClaimMade(
                    round=turn.round, claim=id, text=text, by=by.panelist if by else "", turn=by.turn if by else ""
                )
            )  # fmt: skip
            same[_plain(text)] = id
        if label and label not in labels and _plain(text) in same:
            labels[label] = same[_plain(text)]
    return made, labels


def _stances(
    transcript: Transcript, turn: Turn, asked: list[_Stance], labels: dict[str, str]
) -> list[StanceTaken]:
    """One per panelist and claim; who is said to stand in two places stands in none."""
    found: dict[tuple[str, str], StanceTaken | None] = {}
    # Once, and not for each stance: a record may repeat itself for as long as a model may write.
    words = {each.turn: " ".join(each.text.split()) for each in _said(transcript, turn)}
    for stance in asked:
        taken = _taken(transcript, turn, stance, labels.get(_label(stance.claim)), words)
        if taken is not None:
            key = (taken.panelist, taken.claim)
            other = found.setdefault(key, taken)
            found[key] = other if other and other.stance == taken.stance else None
    return [stance for stance in found.values() if stance is not None]


def _taken(
    transcript: Transcript, turn: Turn, stance: _Stance, claim: str | None, words: dict[str, str]
) -> StanceTaken | None:
    """The stance, or None if it is nobody's, on nothing, or nowhere; `words` are what was said, by turn."""
    speakers = _said(transcript, turn)
    spoke, position = (
        _last(speakers, plain(stance.panelist)),
        _POSITIONS.get(named(plain(stance.stance), _POSITIONS) or ""),
    )
    if spoke is None or claim is None or position is None:
        return None
    moved = _stood(transcript, spoke.panelist, claim) not in (None, position)
    return StanceTaken(
        turn=turn.turn,
        panelist=spoke.panelist,
        round=turn.round,
        claim=claim,
        stance=position,
        reason=one_line(plain(stance.reason), LONGEST),
        quote=_quoted(
            plain(stance.quote), (words[each.turn] for each in speakers if each.panelist == spoke.panelist)
        ),
        moved=moved,
        moved_by=_mover(transcript, spoke, plain(stance.moved_by)) if moved else "",
        new_argument=stance.new_argument not in (False, "false", "no") if moved else True,
    )


def _stood(transcript: Transcript, panelist: str, claim: str) -> Position | None:
    """Where she stood last."""
    before = [
        each.stance
        for each in transcript.found(StanceTaken)
        if (each.panelist, each.claim) == (panelist, claim)
    ]
    return before[-1] if before else None


def _quoted(quote: str, hers: Iterable[str]) -> str:
    """The quotation, if she said exactly that, whatever white space is between the words."""
    plain = " ".join(quote.split())
    return one_line(quote, LONGEST) if any(plain in words for words in hers) else ""


def _mover(transcript: Transcript, spoke: Turn, name: str) -> str:
    """That name, if it is of somebody, other than herself, whom she can have heard before she spoke."""
    heard = [
        each.panelist
        for each in transcript.turns
        if record.counts(each) and each.started_seq < spoke.started_seq and each.ended_at <= spoke.started_at
    ]
    heard += [message.author for message in transcript.messages if message.seq < spoke.started_seq]
    return named(name, (each for each in heard if each != spoke.panelist)) or ""


def _said(transcript: Transcript, turn: Turn) -> list[Turn]:
    return [each for each in record.said(transcript) if each.round == turn.round and each.seq < turn.seq]


def _is_discussed(transcript: Transcript, round: int) -> bool:
    return len({each.panelist for each in record.said(transcript) if each.round == round}) > 1


def _last(speakers: list[Turn], name: str) -> Turn | None:
    """The last turn of who is meant."""
    known = named(name, (turn.panelist for turn in speakers))
    return next((turn for turn in reversed(speakers) if turn.panelist == known), None)


def _lost(transcript: Transcript) -> list[Turn]:
    """Turns for the record that came to nothing, by the model's doing or its server's."""
    unread = {each.turn for each in transcript.found(TurnUnread, sitting=False)}
    return [
        turn
        for turn in transcript.turns
        if turn.kind == kinds.STANCES
        and (turn.turn in unread or (turn.status == "failed" and not record.stopped_by_us(turn)))
    ]


def _made(transcript: Transcript) -> int:
    """Claims of all sittings: a number is given once."""
    return len(transcript.found(ClaimMade, sitting=False))


def _so_far(transcript: Transcript) -> str:
    on_record = told(transcript, transcript.base_seq)
    if not on_record:
        return "There are no claims on record yet."
    return f"Claims on record, and where each stood last:\n{on_record}"


def _label(said: object) -> str:
    """`c1`, also from `C1`, `Claim 1` and `1`."""
    text = plain(said).strip(" \t\r\n\"'`*[]().:").casefold()
    number = _LABEL.fullmatch(text)
    return f"c{int(number[1])}" if number else text


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!?")
