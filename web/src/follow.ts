/**
 * Where the page scrolls while it follows the speakers; pixels from the script's beginning. Of several who speak at
 * once it keeps the one in sight who is furthest behind, so that no word is lost off the top, and never goes back.
 */

/** The last line of the script, when that is a row of columns. */
export interface Row {
  key: string;
  /** Its upper edge. */
  head: number;
  /** Where the words of those end who speak, of the columns in sight. */
  ends: number[];
}

// Above a row's heads, and below the last word: a line of speech each.
const AIR = 28;

export class Follow {
  #key = "";
  #reached = 0; // below the head of the row

  /** Forget how far it came: the reader has moved in time, or the lines were broken anew. */
  forget(): void {
    this.#key = "";
  }

  /** The scroll position for a script `height` high, of which `view` is seen. */
  aim(height: number, view: number, row: Row | null): number {
    if (!row) return height - view;
    if (row.key !== this.#key) [this.#key, this.#reached] = [row.key, -AIR];
    if (row.ends.length > 0) this.#reached = Math.max(this.#reached, Math.min(...row.ends) + AIR - view - row.head);
    return Math.max(0, row.head + this.#reached);
  }
}

/** Measure the row in an element of the script. */
export function rowIn(item: Element | null | undefined, scroller: HTMLElement): Row | null {
  const columns = item?.querySelector<HTMLElement>(".columns");
  const strip = columns?.querySelector(".strip")?.getBoundingClientRect();
  if (!columns || !strip) return null;
  const origin = scroller.getBoundingClientRect().top - scroller.scrollTop;
  const ends = [...columns.querySelectorAll(".column.speaking")]
    .map((column) => column.getBoundingClientRect())
    .filter(({ left, right }) => left + right > 2 * strip.left && left + right < 2 * strip.right)
    .map(({ bottom }) => bottom - origin);
  return { key: columns.dataset["key"] ?? "", head: columns.getBoundingClientRect().top - origin, ends };
}
