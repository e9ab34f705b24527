"""The demo voices: three scripted people who show how one may think through any question. No model speaks here.

Their words are in `voices/LANGUAGE.toml`. This file reads a prompt, guesses the topic's language and kind, and
picks the lines that are true here: nobody is answered who was not heard, and no fact about the topic is claimed.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files

import msgspec

from protocol.messages import Panelist
from providers import forms
from providers.base import Request

VOICES = ("pragmatist", "sceptic", "historian")
LANGUAGES = ("en", "de", "fr", "es")
EXCERPT = 60  # characters of a quotation: about what the eye takes in as one phrase
SHORT = 34  # characters of one that was given in full before, and now only has to be recognised
SAMPLE = 1000  # characters of a topic that decide its language

_OUTCOME = "## Confidence"  # a heading that only the outcome of a discussion is asked to have

# What is inside holds no such tag itself: the projection escapes it.
_INSIDE = r"([^<]*(?:<(?!/?(?:said|topic)\b)[^<]*)*)"
_TOPIC = re.compile(f"<topic>{_INSIDE}</topic>")
_SAID = re.compile(f'<said by="([^"]{{0,200}})"([^>]{{0,400}})>{_INSIDE}</said>')
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_KIND = re.compile(r"(\w+) \| (.*)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？؟])\s*|[\n\r\u2028\u2029]+")
_ASKS = ("?", "？", "؟")
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_MARKUP = re.compile(
    r"[*_~`]{2,}|(?<!\w)[*_~`]+(?=\S)|(?<=\S)[*_~`]+(?!\w)|^[ \t]*(?:#+|>+|[-+*])[ \t]+|\b[a-z]+://",
    re.MULTILINE,
)
# What Markdown, HTML or our own quotation marks would trip over, as characters that look alike.
_LOOKALIKE = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "|": "¦", "\\": "/", "*": "×", "`": "'",
                            "~": "∼"} | dict.fromkeys('"“”„«»', "'"))  # fmt: skip
_JOINER = "\u200d"
_INVISIBLE_BUT_NEEDED = ("\u200c", _JOINER)  # Persian spelling, composed emoji
_ISOLATE = "\u2068{}\u2069"  # keeps right-to-left words from reordering the sentence around them


class Voice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part in one language. `person` answers a person, `again` when another voice has done so already;
    `closings` follow when `turns` are used up."""

    name: str
    persona: str
    person: str
    again: str
    turns: tuple[str, ...]
    closings: tuple[str, ...]


class Foreign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to know a language that no script is written in, and what to say about it."""

    words: str
    letters: str
    sentence: str


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language: what betrays it, how it quotes, its kinds of topic (the first pattern found wins)."""

    words: str
    letters: str
    quotes: tuple[str, str]
    nothing: str
    label: str
    kinds: dict[str, str]
    voices: dict[str, Voice]
    foreign: Foreign | None = None


class Said(msgspec.Struct, frozen=True):
    """One contribution, as a voice hears it."""

    by: str
    text: str
    person: bool = False


@cache
def script(language: str) -> Script:
    """The script in one of `LANGUAGES`."""
    return msgspec.toml.decode((files("providers") / "voices" / f"{language}.toml").read_bytes(), type=Script)


def demo_panel(language: str = "en") -> list[Panelist]:
    """Three seats that need nothing configured; personas in `language`, English where there is no script."""
    voices = script(language if language in LANGUAGES else "en").voices
    return [Panelist(voices[name].name, f"scripted:{name}", voices[name].persona) for name in VOICES]


def perform(request: Request, turn: int) -> str:
    """What the voice `request.model` says in its turn number `turn` (from 0), from the prompt alone."""
    prompts = [message.text for message in request.messages if message.role == "user"] or [""]
    tagged = _TOPIC.search(prompts[0])
    topic = html.unescape(tagged[1]) if tagged else _SAID.sub("", prompts[0])
    heard = [said for prompt in prompts for said in _contributions(prompt)]
    task = re.split(r"</(?:said|topic)>", prompts[-1])[-1]  # what is asked, without what was said
    if (form := forms.fill_in(request.model, task, len(heard))) is not None:
        return form
    if _OUTCOME in task:
        return f"## Answer\n{script(language_of(topic)).label}\n{_OUTCOME}\nlow"
    return say(request.model, topic, turn, heard, _contributions(prompts[-1]))


def say(voice: str, topic: str, turn: int, heard: Sequence[Said] = (), fresh: Sequence[Said] = ()) -> str:
    """The voice's turn number `turn` (from 0), having `heard` others, some of it `fresh` since its last turn."""
    language, is_foreign = detect(topic)
    lines, part = script(language), script(language).voices[voice]
    names = _who_said_what(lines, heard)
    question = _question(topic)
    fills = names | {
        "topic": _quote(question or lines.nothing, lines, EXCERPT),
        "short": _quote(question or lines.nothing, lines, SHORT),
    }
    opening = []
    if turn == 0 and all(said.person for said in heard):
        opening.append(lines.label + (f" {lines.foreign.sentence}" if is_foreign and lines.foreign else ""))
    opening.extend(_acknowledge(lines, part, fresh))
    over = turn - len(part.turns)
    template = part.turns[turn] if over < 0 else part.closings[over % len(part.closings)]
    return "\n\n".join([*opening, _render(template, _kind(question, lines), fills)])


def language_of(topic: str) -> str:
    """The one of `LANGUAGES` in which to speak about it."""
    return detect(topic)[0]


def detect(topic: str) -> tuple[str, bool]:
    """The language to speak, and whether the topic is in another that we have no script for.

    A language scores a point for each of its function words and for each letter that only it uses.
    """
    sample = topic[:SAMPLE].lower()
    words, letters = re.findall(r"[^\W\d_]+", sample), set(sample)
    scores = {
        language: _score(words, letters, script(language).words, script(language).letters)
        for language in LANGUAGES
    }
    best = max(LANGUAGES, key=scores.__getitem__)
    foreign = script("en").foreign
    foreign_score = _score(words, letters, foreign.words, foreign.letters) if foreign else 0
    foreign_score += sum(ord(word[0]) > 0x24F for word in words)  # written in no Latin alphabet
    return ("en", True) if foreign_score > scores[best] else (best, False)


def _score(words: Iterable[str], letters: set[str], known_words: str, known_letters: str) -> int:
    known = set(known_words.split())
    return sum(word in known for word in words) + len(letters & set(known_letters))


def _contributions(prompt: str) -> list[Said]:
    return [
        Said(html.unescape(by), html.unescape(text), 'role="person"' in attributes)
        for by, attributes, text in _SAID.findall(prompt)
    ]


def _who_said_what(lines: Script, heard: Iterable[Said]) -> dict[str, str]:
    """`sceptic2` -> the name of whoever was heard saying the sceptic's second turn.

    Recognised by a line that is said whatever the topic, so it holds for renamed seats and any order.
    """
    names = {}
    for voice, part in lines.voices.items():
        for number, turn in enumerate(part.turns, 1):
            fixed = [line for line in turn.splitlines() if not _KIND.match(line) and "{" not in line]
            anchor = max(fixed, key=len)
            for said in heard:
                if not said.person and anchor in said.text:
                    names[f"{voice}{number}"] = _clean(said.by)
    return names


def _acknowledge(lines: Script, part: Voice, fresh: Sequence[Said]) -> list[str]:
    """What to say to the person who spoke since our last turn; less when another voice has answered since."""
    spoke = [index for index, said in enumerate(fresh) if said.person]
    if not spoke:
        return []
    words = _question(fresh[spoke[-1]].text) or "…"
    template = part.person if spoke[-1] == len(fresh) - 1 else part.again
    return [_render(template, "", {"said": _quote(words, lines, SHORT)})]


def _render(template: str, kind: str, fills: Mapping[str, str]) -> str:
    """A template's paragraphs, without the lines of other kinds and those that name somebody not heard."""
    paragraphs = []
    for paragraph in template.strip().split("\n\n"):
        text = ""
        for line in paragraph.splitlines():
            if said := _line(line, kind, fills):
                text += ("\n" if said.startswith("- ") else " ") + said
        paragraphs.append(text.strip())
    return "\n\n".join(filter(None, paragraphs))


def _line(line: str, kind: str, fills: Mapping[str, str]) -> str:
    if labelled := _KIND.fullmatch(line):
        if labelled[1] != kind:
            return ""
        line = labelled[2]
    if any(name not in fills for name in _PLACEHOLDER.findall(line)):
        return ""
    return _PLACEHOLDER.sub(lambda match: fills[match[1]], line)


def _kind(question: str, lines: Script) -> str:
    bare = question.lower().lstrip("¿¡'( ")
    return next((kind for kind, pattern in lines.kinds.items() if re.search(pattern, bare)), "open")


def _question(text: str) -> str:
    """The sentence to quote, in plain words: the last that asks something, else the first."""
    sentences = [plain for part in _SENTENCE.split(text) if (plain := _clean(part))]
    return next(
        (part for part in reversed(sentences) if part.endswith(_ASKS)), sentences[0] if sentences else ""
    )


def _clean(text: str) -> str:
    """One line of plain words: no markup, no double quotation marks, nothing invisible that reorders or hides."""
    plain = _MARKUP.sub("", _TAG.sub("", text)).translate(_LOOKALIKE)
    kept = (ch for ch in plain if ch.isprintable() or ch.isspace() or ch in _INVISIBLE_BUT_NEEDED)
    return " ".join("".join(kept).split())


def _quote(words: str, lines: Script, limit: int) -> str:
    quoted = _excerpt(words, limit)
    if any(unicodedata.bidirectional(ch) in ("R", "AL") for ch in quoted):
        quoted = _ISOLATE.format(quoted)
    return lines.quotes[0] + quoted + lines.quotes[1]


def _excerpt(words: str, limit: int) -> str:
    """At most `limit` characters, cut at a word, or else between characters that stand alone."""
    if len(words) <= limit:
        return words.rstrip(" .,;:")
    head = words[:limit]
    if " " in head:
        return head.rsplit(" ", 1)[0].rstrip(" .,;:") + "…"
    end = limit - 1
    while end > 1 and (_clings(words[end]) or words[end - 1] == _JOINER):
        end -= 1
    return words[:end] + "…"


def _clings(character: str) -> bool:
    """Whether it belongs to the character before: accents, joiners, variation and skin tone."""
    is_skin_tone = 0x1F3FB <= ord(character) <= 0x1F3FF
    return character == _JOINER or is_skin_tone or unicodedata.category(character) in ("Mn", "Me", "Mc")
