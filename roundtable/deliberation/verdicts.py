"""What the panel came to: the chair's synthesis, and beside it what only the log can say.

The header is derived from who really answered. Where there is no synthesis the verdict says so, and why; nothing else
is put in its place. Where stances were put on record, claims go by them and not by the chair, and whoever she left out
dissents in her own words.
"""

from protocol import kinds
from protocol.findings import ANY, Claim, Correction, Dissent, StanceTaken, TallyCounted, VerdictGiven
from protocol.transcript import Transcript, Turn
from protocol.views import positions
from roundtable.deliberation import ledger, officers, passes, record, stances, synthesis
from roundtable.deliberation.answers import one_line
from roundtable.deliberation.brief import Brief, subject

_TASK = """\
The discussion is over. Write its outcome for people who did not read it, as Markdown under exactly these five \
headings, which stay in English; what stands under them is in the language of the topic.
## Answer
What the panel's words support as an answer to {subject}. Weigh them: what several said can be wrong all the same.
## Where they agree
A line for each claim: `- the claim (for: NAME, NAME)`
## Where they disagree
A line for each claim: `- the claim (for: NAME; against: NAME; unsure: NAME)`
## Dissent
A line for each who does not share the answer: `- NAME: what that one holds, and why`. If nobody differs: `None.`
## Confidence
One word, low, medium or high, in English; then why, and what would settle what is open.
Names are {names}, written so. Invent no agreement: what only one of them said is that one's view, and nobody is for \
or against what that one did not speak to."""
_ON_RECORD = """

Where each stood in the end is on record. Go by it, and begin a claim that is there with its number, as in `- c1: the \
claim (for: NAME)`:
{claims}"""
# How an answer ends that is none: cut by a limit or a filter, or by a wish for a tool there is not.
_NO_ANSWER = {
    "length": "the chair was cut off",
    "refusal": "the chair refused",
    "content_filter": "the chair was cut off by its provider's content filter",
    "tool_calls": "the chair did not answer",
}
# Characters of somebody's words that stand for what she holds where nobody quoted her: two or three sentences.
_QUOTED = 400


def since(transcript: Transcript, turn: Turn | None = None) -> int:
    """The entry after which the discussion began that a verdict is about: this sitting's; or, where a person has the
    chair try again and nobody spoke since, that of all sittings after the last synthesis."""
    if turn is None or record.said(transcript):
        return transcript.base_seq
    return max((each.seq for each in transcript.findings if _is_synthesis(each.finding)), default=0)


def _is_synthesis(finding: ANY) -> bool:
    return isinstance(finding, VerdictGiven) and bool(finding.answer)


def answered(transcript: Transcript, first: int | None = None) -> list[str]:
    """Who said something after entry `first` (else: in this sitting), in seat order."""
    spoke = {turn.panelist for turn in record.said(transcript, first)}
    return [panelist.name for panelist in transcript.panel if panelist.name in spoke]


def silent(transcript: Transcript, first: int | None = None) -> dict[str, str]:
    """Who takes part and did not, and why."""
    spoke = answered(transcript, first)
    turns = [turn for turn in transcript.turns if turn.seq > _first(transcript, first)]
    return {
        panelist.name: _why_silent(transcript, turns, panelist.name)
        for panelist in transcript.panel
        if not panelist.role and panelist.name not in spoke and panelist.name not in transcript.removed
    }


def cut(transcript: Transcript, first: int | None = None) -> list[str]:
    """Whom a deadline kept from ending what they said, in seat order."""
    late = {
        turn.panelist
        for turn in transcript.turns
        if turn.seq > _first(transcript, first) and ledger.is_speech(turn) and _too_late(turn)
    }
    return [panelist.name for panelist in transcript.panel if panelist.name in late]


def _first(transcript: Transcript, first: int | None) -> int:
    return transcript.base_seq if first is None else first


def _too_late(turn: Turn) -> bool:
    if turn.status == "failed":
        return turn.error is not None and turn.error.code == "timeout"
    return turn.status == "cancelled" and turn.reason == "max_seconds" and turn.started_at > 0


def _why_silent(transcript: Transcript, turns: list[Turn], name: str) -> str:
    hers = [turn for turn in turns if turn.panelist == name and kinds.is_heard(turn.kind)]
    failed = [turn.error for turn in hers if turn.error]
    if any(turn.status == "completed" and passes.passed(turn) for turn in hers[-1:]):
        return "had nothing to add"
    error = failed[-1] if failed else transcript.absent.get(name)
    if error is not None:
        return error.detail
    if any(_too_late(turn) for turn in hers):
        return "was cut off when the time was up"
    if any(turn.status == "cancelled" and turn.started_at for turn in hers):
        return "was stopped"
    return "muted" if name in transcript.muted else "had no turn"


def header(transcript: Transcript, missing: str, chair: str = "", first: int | None = None) -> str:
    """`3 of 5 answered; the chair failed, no synthesis.` One of the panel who chaired is named, and so is whoever a
    deadline cut off."""
    said, others, late = answered(transcript, first), silent(transcript, first), cut(transcript, first)
    told = [f"{len(said)} of {len(said) + len(others)} answered"]
    if late:
        told.append(f"{_listed(late)} {'was' if len(late) == 1 else 'were'} cut off by a deadline")
    seat = transcript.seat(chair)
    if missing:
        told.append(f"{missing}, no synthesis")
    elif seat is not None and not seat.role:
        told.append(f"{chair}, one of the panel, chaired")
    return "; ".join(told) + "."


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def brief(transcript: Transcript, turn: Turn) -> Brief:
    """What the chair is asked; a method that counts or measures adds what she is to know of it."""
    first = since(transcript, turn)
    names = ", ".join(answered(transcript, first)) or "those above"
    task = _TASK.format(names=names, subject=subject(transcript))
    if stances.mapped(transcript, first):
        task += _ON_RECORD.format(claims=stances.told(transcript, first))
    return Brief(task=task, clerk=True)


def read(transcript: Transcript, turn: Turn) -> list[ANY]:
    """The verdict with a synthesis, or without where her words are none."""
    return [given(transcript, turn, _NO_ANSWER.get(turn.stop_reason or "end", ""))]


def given(transcript: Transcript, turn: Turn | None, missing: str = "") -> VerdictGiven:
    """The verdict as it stands, with the chair's words in `turn`; or with what is `missing`, and why."""
    first, chair = since(transcript, turn), turn.panelist if turn else ""
    names = answered(transcript, first)
    words = synthesis.read(turn.text, names) if turn and not missing else None
    mapped = stances.mapped(transcript, first)
    rows = positions.rows(transcript, first) if mapped else []
    claims = (
        [_stood(row) for row in rows] if mapped else [claim for _, claim in words.claims] if words else []
    )
    tallies = transcript.found(TallyCounted)
    return VerdictGiven(
        round=transcript.round,
        header=header(transcript, missing, chair, first),
        answer=words.answer if words else "",
        claims=claims,
        dissent=_dissent(transcript, rows, list(words.dissent) if words else [], first),
        confidence=words.confidence if words else "",
        why=words.why if words else "",
        chair=chair,
        turn=turn.turn if turn else "",
        missing=missing,
        source="stances" if mapped else "chair" if claims else "",
        answered=names,
        silent=silent(transcript, first),
        cut=cut(transcript, first),
        corrections=[each for row in rows for each in _corrections(row, words)] if words else [],
        tally=tallies[-1] if tallies else None,
    )


def _stood(row: positions.Row) -> Claim:
    return Claim(row.claim.text, row.holding("support"), row.holding("oppose"), row.holding("unsure"))


def _corrections(row: positions.Row, words: synthesis.Synthesis) -> list[Correction]:
    """Where the chair has someone on the other side than her stance."""
    now = row.now()
    said = [
        claim for number, claim in words.claims
        if number == row.claim.claim or (not number and claim.text.casefold() == row.claim.text.casefold())
    ]  # fmt: skip
    wrong = {
        name: now[name].stance
        for claim in said
        for side, other in ((claim.supports, "oppose"), (claim.opposes, "support"))
        for name in side
        if name in now and now[name].stance == other
    }
    return [Correction(name, row.claim.text, holds) for name, holds in wrong.items()]


def _dissent(
    transcript: Transcript, rows: list[positions.Row], named: list[Dissent], first: int
) -> list[Dissent]:
    """Those whom the chair names, and behind them whoever stands with the fewer on a claim and is not among them."""
    known = {each.panelist for each in named}
    added: dict[str, Dissent] = {}
    for row in rows:
        for stance in _outnumbered(row):
            if stance.panelist not in known:
                added.setdefault(stance.panelist, _in_her_words(transcript, stance, first))
    return [*named, *added.values()]


def _outnumbered(row: positions.Row) -> list[StanceTaken]:
    """On a claim on which they are divided, the smaller side; where both are equal, who opposes."""
    supports, opposes = row.holding("support"), row.holding("oppose")
    if not supports or not opposes:
        return []
    fewer = supports if len(supports) < len(opposes) else opposes
    return [stance for name, stance in row.now().items() if name in fewer]


def _in_her_words(transcript: Transcript, stance: StanceTaken, first: int) -> Dissent:
    said = [turn for turn in record.said(transcript, first) if turn.panelist == stance.panelist]
    said = [turn for turn in said if turn.round == stance.round] or said
    if stance.quote:
        whole = [turn for turn in said if stance.quote.removesuffix("\u2026") in " ".join(turn.text.split())]
        return Dissent(stance.panelist, stance.quote, (whole or said)[-1].turn)
    return Dissent(stance.panelist, one_line(said[-1].text, _QUOTED), said[-1].turn)


def is_given(transcript: Transcript) -> bool:
    """Whether this conclusion of the discussion has come to its verdict. One that has no synthesis may be followed by
    another conclusion, when a person asks for it."""
    since = max(transcript.base_seq, transcript.concluding_seq)
    return any(each.seq > since and isinstance(each.finding, VerdictGiven) for each in transcript.findings)


def seat(transcript: Transcript) -> str | None:
    """Who writes it, if anybody: nobody in the place of a chair who failed for good."""
    if officers.is_chair_lost(transcript):
        return None
    chair = officers.chair(transcript)
    return chair.name if chair else None
