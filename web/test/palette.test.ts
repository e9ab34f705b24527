import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { HUES, hueOf, marksOf } from "../src/palette";

const css = readFileSync(new URL("../src/tokens.css", import.meta.url), "utf8");

type Oklch = [lightness: number, chroma: number, hue: number];

/** The tokens of a theme, as written in tokens.css. */
function theme(name: "light" | "dark"): (token: string) => string {
  const block = new RegExp(`/\\* ${name} \\*/[^{]*\\{([^}]*)\\}`).exec(css)![1]!;
  return (token) => new RegExp(`--${token}:\\s*([^;]+);`).exec(block)![1]!;
}

function oklch(text: string): Oklch {
  return /oklch\(([^)]*)\)/.exec(text)![1]!.split(" ").map(Number) as Oklch;
}

/** CSS Color 4, section 9.4 and its sample code; clipped to sRGB as a browser paints it. */
function luminance([lightness, chroma, hue]: Oklch): number {
  const [a, b] = [chroma * Math.cos((hue * Math.PI) / 180), chroma * Math.sin((hue * Math.PI) / 180)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clip = (value: number) => Math.min(1, Math.max(0, value));
  const red = clip(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = clip(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = clip(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** WCAG 2.2: the contrast ratio of two colours. */
function contrast(one: Oklch, other: Oklch): number {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

describe.each(["light", "dark"] as const)("the %s theme", (name) => {
  const token = theme(name);
  const grounds = ["paper", "raised", "wash"].map((ground) => oklch(token(ground)));

  it.each(HUES)("lets a name of hue %i be read on every ground, and a mark on its own hue", (hue) => {
    const color: Oklch = [Number(token("pl")), Number(token("pc")), hue];
    for (const ground of grounds) expect(contrast(color, ground)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(["ink", "soft", "faint", "do"])("lets %s be read on every ground", (ink) => {
    for (const ground of grounds) expect(contrast(oklch(token(ink)), ground)).toBeGreaterThanOrEqual(4.5);
  });

  it("lets the filled button be read", () => {
    expect(contrast(oklch(token("do-ink")), oklch(token("do")))).toBeGreaterThanOrEqual(4.5);
  });
});

describe("seats", () => {
  it("have twelve different hues, the first four at least 60 degrees apart", () => {
    expect(new Set(HUES).size).toBe(12);
    const first = HUES.slice(0, 4).toSorted((a, b) => a - b);
    for (const [place, hue] of first.entries()) {
      const next = place === 3 ? first[0]! + 360 : first[place + 1]!;
      expect(next - hue).toBeGreaterThanOrEqual(60);
    }
    expect(hueOf(12)).toBe(hueOf(0));
  });

  it("have marks that tell them apart", () => {
    expect(marksOf(["Ada", "Ben", "Cleo"])).toEqual(["A", "B", "C"]);
    expect(marksOf(["Ada", "Anna", "Ben"])).toEqual(["Ad", "An", "B"]);
    expect(marksOf(["Ann", "Anna", "Ben"])).toEqual(["A1", "A2", "B"]);
    expect(marksOf(["élan", "👩‍👩‍👧‍👦 x", " "])).toEqual(["É", "👩‍👩‍👧‍👦", "?"]);
  });
});
