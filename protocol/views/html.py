"""A Transcript as one HTML page that needs nothing else: no script, no request, for reading, keeping and printing.

Everything that was said is escaped, and the page's own policy forbids whatever escaping should have missed.
"""

import base64
import hashlib
from html import escape

from protocol.transcript import Transcript
from protocol.views import thread, words
from protocol.views.play import Block, Round, Speech, blocks, plain, play
from protocol.views.style import HUES, STYLE

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEAD = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{hash}'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
"""


def html(t: Transcript) -> str:
    """The page. What people and models say may be in any language, and in any direction."""
    title = _text(words.title(thread.title(t)))
    parts = [_HEAD.format(hash=_HASH, title=title, style=STYLE), "<header>", f'<h1 dir="auto">{title}</h1>']
    if t.topic.strip() not in ("", words.title(thread.title(t))):
        parts.append(f'<div class="said topic">{_said(t.topic)}</div>')
    parts.append(f"<p>{words.moment(t.opened_at)}. {_text(words.status(t))} {words.spent(t.spent)}</p>")
    parts += ["<ul>", *_seats(t), "</ul>", "</header>", "<main>"]
    for line in play(t):
        match line:
            case Round():
                parts.append(f"<h2>Round {line.number}</h2>")
            case Speech():
                parts += _speech(line)
    parts += ["</main>", f"<footer>Table {_text(t.table)}, up to entry {t.cursor}.</footer>", "</html>"]
    return "\n".join(parts) + "\n"


def _seats(t: Transcript) -> list[str]:
    return [
        f"<li{_hue(seat)}><b>{_text(each.name)}</b> <span>{_text(each.model)}</span>"
        + (f'<p dir="auto">{_text(each.persona)}</p>' if each.persona else "")
        + "</li>"
        for seat, each in enumerate(t.panel)
    ]


def _speech(speech: Speech) -> list[str]:
    kind = "turn" if speech.seat is not None else "person"
    aside = f"<span>{_text(speech.aside)}</span>" if speech.aside else ""
    thought = f'<details><summary>Thought</summary><div lang="">{_said(speech.thinking)}</div></details>'
    return [
        f'<article class="{kind}">',
        f'<div class="who"{_hue(speech.seat)}><b>{_text(speech.name)}</b>{aside}<span>{speech.offset}</span></div>',
        f'<div class="said" lang="">{thought if speech.thinking.strip() else ""}{_said(speech.text)}</div>',
        *([f'<p class="note">{_text(speech.note)}</p>'] if speech.note else []),
        "</article>",
    ]


def _hue(seat: int | None) -> str:
    return "" if seat is None else f' data-seat="{seat % HUES}"'


def _said(text: str) -> str:
    """Paragraphs and code, as they were written: signs of Markdown stay signs."""
    return "".join(_block(block) for block in blocks(text))


def _block(block: Block) -> str:
    if block.language is not None:
        return f'<pre dir="ltr"><code>{escape(block.text)}</code></pre>'
    paragraphs = (each.strip("\n") for each in block.text.split("\n\n"))
    return "".join(f'<p dir="auto">{escape(each)}</p>' for each in paragraphs if each.strip())


def _text(text: str) -> str:
    return escape(" ".join(plain(text).split()))
