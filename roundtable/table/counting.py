"""How many tokens a text is to a model: by what its provider counted earlier in this log, or else by its letters.

Exact counts come with each answer's usage, llama.cpp's own among them; what is told here is for what is sent next.
"""

import re

import msgspec

from protocol.transcript import Transcript

# Characters per token before anything was counted, by script. Measured with two of Mistral's vocabularies (131,000 and
# 33,000 tokens): English 4.8 and 4.5, German 4.0 and 3.1, French 4.3 and 3.3; Russian 3.4 and 2.6, Arabic 3.6 and 1.2;
# Chinese 1.2 and 0.9, Japanese 1.2 and 0.9, Korean 1.9 and 0.8, Hindi 2.5 and 0.9, Thai 1.9 and 1.0.
LATIN, NEAR, FAR = 4.0, 2.0, 1.0
# From Greek to Arabic; and from India eastwards with all symbols, but for typographic marks.
_NEAR = re.compile(r"[\u0370-\u08ff]")
_FAR = re.compile(r"[\u0900-\u1dff\u2070-\U0010ffff]")
# Prompts that are looked back on: enough to even out, few enough to follow another language.
_LATEST = 8
# Tokens of a large picture, by the vendors' pages on vision: Anthropic takes up to some 1,600 (more of models that see
# finely), OpenAI up to 1,536 patches or 1,105 by tiles, Google 258 a tile. What it was stands in the turn's usage.
PICTURE = 1_600
# A provider that counts outside of these characters per token counts something else.
_LIKELY = (0.25, 12.0)


class Counter(msgspec.Struct, frozen=True):
    """`rate` is in characters per token, `measured` on the model's own counts; 0 where there are none."""

    rate: float = 0.0

    @property
    def measured(self) -> bool:
        """Whether the provider's counts are what it goes by."""
        return self.rate > 0

    def tokens(self, text: str, pictures: int = 0) -> float:
        """How many tokens the text is, with so many pictures beside it."""
        return PICTURE * pictures + (len(text) / self.rate if self.rate else _guessed(text))


GUESSING = Counter()
"""For whoever knows nothing of the model."""


def counter(transcript: Transcript, model: str) -> Counter:
    """By the newest prompts that this model (`provider:model`) was sent here and whose tokens its provider told."""
    known = [
        (turn.length, turn.usage.input)
        for turn in transcript.turns
        # With tools she is asked several times in one turn, and all of it is counted; as are pictures.
        if turn.model == model and turn.length and turn.usage and turn.usage.input
        and not turn.usage.estimated and not turn.tools and not turn.pictures
    ][-_LATEST:]  # fmt: skip
    length, tokens = map(sum, zip(*known, strict=True)) if known else (0, 0)
    rate = length / tokens if tokens else 0.0
    return Counter(rate) if _LIKELY[0] <= rate <= _LIKELY[1] else GUESSING


def _guessed(text: str) -> float:
    if text.isascii():
        return len(text) / LATIN
    near, far = len(_NEAR.findall(text)), len(_FAR.findall(text))
    return (len(text) - near - far) / LATIN + near / NEAR + far / FAR
