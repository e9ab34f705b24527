"""A Transcript as one HTML page that needs nothing else: no script, no request, for reading, keeping and printing.

Everything that was said is escaped, and the page's own policy forbids whatever escaping should have missed.
"""

import base64
import hashlib
from html import escape

from protocol.findings import Claim, Dissent
from protocol.transcript import Transcript
from protocol.views import thread, verdict, words
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
    parts += ["<ul>", *_seats(t), "</ul>", "</header>", *_verdict(t), "<main>"]
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


def _verdict(t: Transcript) -> list[str]:
    shown = verdict.newest(t)
    if shown is None:
        return []
    given = shown.given
    parts = ["<section>", "<h2>Verdict</h2>", f'<p class="head">{_text(given.header)}</p>']
    if given.answer:
        parts.append(f'<div class="said" lang="">{_said(given.answer)}</div>')
    if given.dissent:
        parts += ["<h2>Dissent</h2>", *(_dissent(t, each) for each in given.dissent)]
    if given.claims:
        parts += ["<h2>Claims</h2>", "<ul>", *map(_claim, given.claims), "</ul>", _note(shown.source)]
    if shown.moves:
        parts += [
            "<h2>Who moved whom</h2>",
            "<ul>",
            *(f"<li>{_text(move)}</li>" for move in shown.moves),
            "</ul>",
        ]
    return [*parts, *map(_note, [*shown.corrections, shown.confidence]), "</section>"]


def _dissent(t: Transcript, dissent: Dissent) -> str:
    seat = next((at for at, each in enumerate(t.panel) if each.name == dissent.panelist), None)
    return (
        f'<div class="dissent"><div{_hue(seat)}><b>{_text(dissent.panelist)}</b> '
        f"<span>{verdict.whose(dissent)}</span></div>"
        f'<div class="said" lang="">{_said(dissent.text)}</div></div>'
    )


def _claim(claim: Claim) -> str:
    stands = "; ".join(f"{side}: {', '.join(names)}" for side, names in verdict.sides(claim))
    return f'<li><p dir="auto">{_text(claim.text)}</p><span>{_text(stands)}</span></li>'


def _note(text: str) -> str:
    return f'<p class="note">{_text(text)}</p>' if text else ""


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
