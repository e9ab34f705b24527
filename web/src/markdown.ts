/**
 * What a model says, as safe HTML. Its text is untrusted: raw HTML is shown as written, nothing is fetched from
 * anywhere, and links leave the page without telling where they came from. Rendered block by block, so that while a
 * turn is spoken only its last block is rendered anew.
 */
import DOMPurify from "dompurify";
import { Marked, type Token, type Tokens } from "marked";

const marked = new Marked({ gfm: true, breaks: false, async: false });
marked.use({
  renderer: {
    html: (token) => ("block" in token && token.block ? `<p>${escape(token.text)}</p>` : escape(token.text)),
    heading: ({ tokens }) => `<h4>${marked.Parser.parseInline(tokens)}</h4>\n`, // the page's own outline stays whole
    image: ({ text, href }) => escape(text || href),
    checkbox: ({ checked }) => (checked ? "[x] " : "[ ] "),
    link: ({ href, tokens }) => {
      const inner = marked.Parser.parseInline(tokens);
      if (!/^(https?:|mailto:)/i.test(href)) return inner;
      return `<a href="${escape(href)}" target="_blank" rel="noopener noreferrer nofollow">${inner}</a>`;
    },
  },
});

const PURIFY = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "em", "strong", "del", "code", "pre", "ul", "ol", "li", "blockquote", "a", "h4",
    "table", "thead", "tbody", "tr", "th", "td",
  ],
  ALLOWED_ATTR: ["href", "target", "rel", "start", "align"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ADD_URI_SAFE_ATTR: ["target", "rel", "start", "align"], // the pattern above would be applied to them too
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

// Enough for every block of a very long table; the oldest make room.
const KEPT = 4000;
const rendered = new Map<string, string>();

/** Blocks of safe HTML. `growing` text is shown as it will look once its last mark-up is closed. */
export function blocksOf(text: string, growing = false): string[] {
  const source = growing ? mend(text) : text;
  const tokens = marked.lexer(source).filter((token) => token.type !== "space" && token.type !== "def");
  return tokens.map((token, place) => (growing && place === tokens.length - 1 ? render(token) : kept(token)));
}

function kept(token: Token): string {
  const known = rendered.get(token.raw);
  if (known !== undefined) return known;
  const html = render(token);
  if (rendered.size >= KEPT) rendered.delete(rendered.keys().next().value!);
  rendered.set(token.raw, html);
  return html;
}

function render(token: Token): string {
  return DOMPurify.sanitize(marked.parser([token as Tokens.Generic]), PURIFY);
}

/**
 * Close or hide what is half written at the end, so that text does not change its looks when the rest arrives:
 * an opened `**`, `*` or back-tick, a link without its address, a line that may yet become a list or a heading.
 */
function mend(text: string): string {
  if (openFence(text)) return text;
  const start = text.lastIndexOf("\n\n") + 1;
  const tail = text
    .slice(start)
    .replace(/(^|\n)[ \t]*(?:[-+*=>_#|]{1,6}|\d{1,3}[.)]?)[ \t]*$/, "$1")
    .replace(/!?\[([^\]\n]*)\]\([^)\n]*$/, "$1")
    .replace(/(\s)[*_`~]+$/, "$1")
    .replace(/([^*]\*\*[^*]+)\*$/, "$1"); // the first half of a closing **
  return text.slice(0, start) + closed(tail);
}

function closed(tail: string): string {
  if (odd(tail, /`/g)) return `${tail}\``;
  if (odd(tail, /\*\*/g)) return `${tail.trimEnd()}**`;
  const singles = tail.replaceAll("**", "").replace(/^\s*[*+-] /gm, "");
  return odd(singles, /\*(?=\S)|(?<=\S)\*/g) ? `${tail.trimEnd()}*` : tail;
}

/** Whether a code fence was opened and not closed. */
function openFence(text: string): boolean {
  return odd(text, /^ {0,3}(?:```|~~~)/gm);
}

function odd(text: string, pattern: RegExp): boolean {
  return (text.match(pattern)?.length ?? 0) % 2 === 1;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
