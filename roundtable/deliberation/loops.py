"""Whether the panel goes in a circle: it says again what was said, or only thanks and praises.

Both are told by words alone. A paraphrase is not found here, and nobody is said to agree.

*Repetition.* A turn is cut into shingles: runs of three words, or of five letters where a script puts no space
between words. It is stale when at least `STALE` of them are in what was said before it began (Broder, "On the
resemblance and containment of documents", 1997: containment). *Thanks.* A turn is thanks when each of its sentences
is short and holds a word of thanks or praise in one of the languages of `_COURTESY`; in others a circle of thanks is
found once it repeats.

The panel goes in a circle when the last turns, as many as there are panelists present but from two to four, were all
stale or thanks. Passes count neither way, and what a person says begins anew: they may want to hear something again.
`STALE` was chosen on the examples in `tests/circles.toml` (English, German, Japanese): in real discussions no turn
has more than 0.11, in circles none less than 0.63.
"""

import re
import unicodedata

from protocol.transcript import Transcript, Turn
from roundtable.deliberation import record

STALE = 0.5
_FEWEST, _MOST = 2, 4
# Earlier turns that are looked at, and characters of each: twice round the largest table, and the 150 words that
# panelists are asked to keep to. That takes some 3 ms, once after each speech.
_TURNS, _CHARACTERS = 24, 1_000
# Words of a sentence that can be nothing but courtesy; who says more says something.
_LONGEST = 30

# Thai and Lao, Burmese, Khmer, kana, ideographs: scripts without spaces between words.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNIT = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_SENTENCE = re.compile(r"[.!?…。！？\n]+")
_COURTESY = re.compile(  # in folded case: no capitals, and ss
    r"\b(?:thank|grateful|appreciat|well said|well put|couldn.t agree more|my pleasure|you.re welcome|honou?red\b|"
    r"(?:great|good|excellent|wonderful|brilliant|fantastic|insightful) "
    r"(?:point|insight|summary|contribution|discussion|observation|perspective)|"
    r"(?:be)?dank|gern geschehen|schätze|freut mich|freue mich|wunderbar|grossartig|hervorragend|gut gesagt|"
    r"merci|bravo|excellente? (?:remarque|idée|analyse)|bien dit|gracias|muy bien dicho|obrigad[oa]|grazie|"
    r"спасибо|благодар|прекрасн)|"
    r"ありがと|感謝|素晴らし|お見事|谢谢|感谢|多谢|说得好|精彩|太好了|감사|고맙|훌륭"
)


def goes_round(transcript: Transcript) -> bool:
    """Whether the panel of this sitting goes in a circle now."""
    since = max((message.seq for message in transcript.messages), default=0)
    said = record.said(transcript)
    window = min(max(_FEWEST, len(transcript.present())), _MOST)
    last = said[-window:]
    if len(last) < window or last[0].started_seq < since:
        return False
    return all(is_thanks(turn.text) or _is_stale(turn, said) for turn in last)


def is_thanks(text: str) -> bool:
    """Whether it is thanks and praise and nothing else, in a language that is known here."""
    sentences = [
        each for each in _SENTENCE.split(unicodedata.normalize("NFKC", text).casefold()) if _units(each)
    ]
    return bool(sentences) and all(
        len(_units(each)) <= _LONGEST and _COURTESY.search(each) for each in sentences
    )


def staleness(text: str, earlier: list[str]) -> float:
    """Which part of its shingles was said before, from 0 to 1."""
    mine = _shingles(text)
    known = frozenset[tuple[str, ...]]().union(*map(_shingles, earlier))
    return len(mine & known) / len(mine) if mine else 0.0


def _is_stale(turn: Turn, said: list[Turn]) -> bool:
    """What she could not have heard is no repetition: two may come to the same at the same time."""
    before = [each.text for each in said if each.ended_at <= turn.started_at and each is not turn][-_TURNS:]
    return staleness(turn.text, before) >= STALE


def _units(text: str) -> list[str]:
    return _UNIT.findall(text)


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    units = _units(unicodedata.normalize("NFKC", text[:_CHARACTERS]).casefold())
    unspaced = sum(bool(_IS_UNSPACED.match(unit)) for unit in units) * 2 > len(units)
    size = min(5 if unspaced else 3, len(units))
    return (
        frozenset(tuple(units[at : at + size]) for at in range(len(units) - size + 1))
        if size
        else frozenset()
    )
