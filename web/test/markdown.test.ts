// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { blocksOf } from "../src/markdown";

const html = (text: string, growing = false) => blocksOf(text, growing).join("");

describe("what a model says", () => {
  it("is set as text, lists, quotes, code and tables", () => {
    expect(html("One *two* **three**\n\n- a\n- b")).toBe(
      "<p>One <em>two</em> <strong>three</strong></p>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n",
    );
    expect(html("# Title")).toBe("<h4>Title</h4>\n");
    expect(html("| a |\n|---|\n| 1 |")).toContain("<td>1</td>");
    expect(html("```js\n1 < 2\n```")).toBe("<pre><code>1 &lt; 2\n</code></pre>\n");
  });

  it("links out without telling where from", () => {
    expect(html("[a](https://example.org/?a=1&b=2)")).toBe(
      '<p><a href="https://example.org/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer nofollow">a</a></p>\n',
    );
  });
});

const HOSTILE = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "![remote](https://evil.example/pixel.png)",
  "![alt](data:image/svg+xml;base64,PHN2Zz4=)",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](java\nscript:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](\u0001javascript:alert(1))",
  "[x](vbscript:msgbox)",
  "[x](data:text/html,<script>alert(1)</script>)",
  "[x](file:///etc/passwd)",
  "[x](//evil.example)",
  "[x](/v1/session)",
  '[x](https://a.example" onmouseover="alert(1))',
  "[x][ref]\n\n[ref]: javascript:alert(1)",
  "<javascript:alert(1)>",
  "<a href='javascript:alert(1)'>x</a>",
  "<iframe src=https://evil.example></iframe>",
  "<svg><use href=data:x></svg>",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "<form action=/v1/session><button>sign in</button></form>",
  "<style>*{display:none}</style>",
  '<p style="position:fixed">over everything</p>',
  "<base href=https://evil.example/>",
  "<meta http-equiv=refresh content=0>",
  "<!--><img src=x onerror=alert(1)>-->",
  "```html\n<img src=x onerror=alert(1)>\n```",
  "```\"onload=alert(1)\nx\n```",
  "| <img src=x onerror=alert(1)> |\n|---|\n| [x](javascript:1) |",
  "- [ ] <input autofocus onfocus=alert(1)>",
  '"><img src=x onerror=alert(1)>',
];

describe("hostile text", () => {
  const allowed = /^(p|br|hr|em|strong|del|code|pre|ul|ol|li|blockquote|a|h4|table|thead|tbody|tr|th|td)$/;

  it.each(HOSTILE)("does nothing: %s", (text) => {
    for (const growing of [false, true]) {
      const page = document.createElement("div");
      page.innerHTML = html(text, growing);
      for (const element of page.querySelectorAll("*")) {
        expect(element.localName).toMatch(allowed);
        for (const { name } of element.attributes) expect(["href", "target", "rel", "start", "align"]).toContain(name);
        const href = element.getAttribute("href");
        if (href !== null) {
          expect(href).toMatch(/^(https?:|mailto:)/);
          expect(element.getAttribute("rel")).toBe("noopener noreferrer nofollow");
        }
      }
    }
  });

  it("is shown as written", () => {
    const page = document.createElement("div");
    page.innerHTML = html("Look: <b>bold</b> & <script>x</script>");
    expect(page.textContent).toBe("Look: <b>bold</b> & <script>x</script>\n");
  });
});

describe("growing text", () => {
  it("looks as it will when its last mark-up is closed", () => {
    expect(html("It is **very imp", true)).toBe("<p>It is <strong>very imp</strong></p>\n");
    expect(html("It is **very** important*", true)).toBe("<p>It is <strong>very</strong> important</p>\n");
    expect(html("It is **very*", true)).toBe("<p>It is <strong>very</strong></p>\n");
    expect(html("an *emph", true)).toBe("<p>an <em>emph</em></p>\n");
    expect(html("the `cod", true)).toBe("<p>the <code>cod</code></p>\n");
    expect(html("see [this](https://exa", true)).toBe("<p>see this</p>\n");
  });

  it("hides a line that may become something else", () => {
    for (const start of ["-", "1", "1.", "##", ">", "---", "=="]) {
      expect(html(`Text\n${start}`, true)).toBe("<p>Text</p>\n");
    }
  });

  it("leaves code, sums and lists alone", () => {
    expect(html("```\na ** b * `", true)).toBe("<pre><code>a ** b * `\n</code></pre>\n");
    expect(html("2 * 3 * 4 * 5 is 120", true)).toBe("<p>2 * 3 * 4 * 5 is 120</p>\n");
    expect(html("* one\n* two", true)).toContain("<li>two</li>");
  });

  it("keeps every block but the last as it was", () => {
    const text = "First *one*.\n\nSecond `two`.\n\n- third\n- fourth **x** y\n\nFifth.";
    const whole = blocksOf(text);
    for (let length = 1; length < text.length; length++) {
      const now = blocksOf(text.slice(0, length), true);
      expect(now.slice(0, -1)).toEqual(whole.slice(0, now.length - 1));
    }
  });
});
