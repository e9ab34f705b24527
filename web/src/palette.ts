/**
 * Colour means a person: each seat owns one of twelve hues of equal lightness (OKLCH), doubled by an initial.
 * Lightness and chroma are the theme's tokens `--pl` and `--pc`; a component sets `--h` and the class `hued`.
 */

/** Degrees, ordered so that the first few seats lie far apart, for any colour vision. */
export const HUES = [255, 150, 50, 330, 200, 100, 290, 20, 175, 75, 230, 305] as const;

export function hueOf(seat: number): number {
  return HUES[seat % HUES.length]!;
}

/** One mark per name: the initial; two letters where initials collide; the seat's number where those do too. */
export function marksOf(names: string[]): string[] {
  const ones = names.map((name) => letters(name, 1));
  const twos = names.map((name) => letters(name, 2));
  return names.map((_, seat) => {
    if (unique(ones, seat)) return ones[seat]!;
    if (unique(twos, seat)) return twos[seat]!;
    return `${ones[seat]}${seat + 1}`;
  });
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function letters(name: string, count: number): string {
  const [first = "?", ...rest] = Array.from(graphemes.segment(name.trim()), ({ segment }) => segment);
  return first.toLocaleUpperCase() + rest.slice(0, count - 1).join("");
}

function unique(marks: string[], seat: number): boolean {
  return marks.every((mark, other) => other === seat || mark !== marks[seat]);
}
