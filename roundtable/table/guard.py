"""Keeps a panelist to her own lines, for every way that the words may be split into deltas.

A label with her own name at a line's start (`[Ada]:`, `**Ada:**`) is stripped; where a line begins as
another's (`[Ben]:`), or with our own fence, her turn is cut. Everything else passes untouched, at once.
"""

from collections.abc import Iterable

FENCE = "<said"


class SpeakerGuard:
    """Feed text, get text. Holds back only a line's beginning that may yet become a label; with no `own` name and no
    `others` only our fence is one.

    Another's plain `Ben:` is a cut only after the first line: at the very start it is how one addresses Ben.
    """

    def __init__(self, own: str, others: Iterable[str]) -> None:
        marked = [form for name in others for form in _marked(name)]
        self._own = [*_marked(own), f"{own}:"] if own else []
        self._others = [*marked, FENCE]
        self._plain = [f"{name}:" for name in others]
        self._held = ""
        self._line_start = True
        self._after_label = True  # white space is left out there, and at the very start
        self.cut = False

    def feed(self, text: str) -> str:
        """What of the words so far may be shown. After `cut` it is always empty."""
        self._held += text
        return self._release(final=False)

    def flush(self) -> str:
        """What was still held back when the model ended."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        out: list[str] = []
        while self._held and not self.cut:
            if self._after_label:
                self._held = self._held.lstrip()
                self._after_label = not self._held
                continue
            if self._line_start:
                if not self._settle(final):
                    break
                continue
            line, newline, self._held = self._held.partition("\n")
            out.append(line + newline)
            if newline:
                self._line_start, self._others = True, [*self._others, *self._plain]
                self._plain = []
        return "".join(out)

    def _settle(self, final: bool) -> bool:
        """Decide what the line's beginning is; False while more must be seen."""
        start = self._held.lstrip(" \t")
        labels = self._own + self._others
        if not final and any(len(label) > len(start) and label.startswith(start) for label in labels):
            return False
        self._line_start = False
        if any(start.startswith(label) for label in self._others):
            self.cut = True
            return False
        label = max((label for label in self._own if start.startswith(label)), key=len, default="")
        if label:
            self._held, self._after_label = start[len(label) :], True
        return True


def _marked(name: str) -> list[str]:
    """The ways in which models are seen to write a speaker's label, other than plainly."""
    return [
        f"[{name}]:", f"[{name}]", f"**{name}:**", f"**{name}**:",
        f"**[{name}]:**", f"**[{name}]**:", f"[**{name}**]:",
    ]  # fmt: skip
