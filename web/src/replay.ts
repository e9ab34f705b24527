/**
 * A recording: a table's entries from the first, and the Transcript at any moment of them.
 *
 * A moment is how many entries have happened and, within those that last longer, up to when: an entry that several
 * deltas were written as is told in its parts, and those of turns spoken at once overlap. Checkpoints are caches; the
 * state is always the fold (`test/replay.test.ts`).
 */
import type { Transcript } from "./protocol.gen";
import { apply, copy, type Entry, newTranscript } from "./reduce";

/** The first `count` entries have happened; of each, what had been said by `at` (Unix seconds). */
export interface Moment {
  count: number;
  at: number;
}

// Folding this many entries takes about a millisecond, which no seek notices; a checkpoint keeps a list of the turns.
const BETWEEN_CHECKPOINTS = 1000;

const ENDS = new Set<Entry["type"]>(["turn.completed", "turn.failed", "turn.cancelled"]);

export class Recording {
  readonly entries: Entry[] = [];
  /** Until when the entries up to each are told; of turns spoken at once, an earlier one may last longer. */
  readonly #until: number[] = [];
  #checkpoints: Transcript[] = [newTranscript()];
  #transcript = newTranscript();
  #applied = 0;

  add(entry: Entry): void {
    this.entries.push(entry);
    this.#until.push(Math.max(this.#until.at(-1) ?? 0, lastAt(entry)));
  }

  /** The moment directly after entry number `count`, when all up to it is told. */
  after(count: number): Moment {
    const bounded = Math.max(0, Math.min(count, this.entries.length));
    return { count: bounded, at: this.#until[bounded - 1] ?? 0 };
  }

  /** The moment at a time. */
  when(at: number): Moment {
    return { count: firstAbove(this.entries.length, (place) => this.entries[place]!.at > at), at };
  }

  /** The Transcript at a moment; later moments do not change it. */
  state({ count: asked, at }: Moment): Transcript {
    const count = Math.min(asked, this.entries.length);
    const whole = firstAbove(count, (place) => this.#until[place]! > at);
    const transcript = copy(this.#fold(whole));
    const rest = this.entries.slice(whole, count);
    // A turn that has a later entry has said all of the earlier ones, whatever their chunks' times.
    const latest = new Map(rest.map((entry) => ["turn" in entry ? entry.turn : "", entry]));
    for (const entry of rest) apply(transcript, hasParts(entry) && latest.get(entry.turn) === entry ? told(entry, at) : entry);
    return transcript;
  }

  /** The Transcript when a turn had ended: after the last entry that tells of it. Throws where none does. */
  endOf(turn: string): Transcript {
    const last = this.entries.findLastIndex((entry) => "turn" in entry && entry.turn === turn && ENDS.has(entry.type));
    if (last < 0) throw new RangeError(`${turn} has not ended in this recording.`);
    return this.state(this.after(last + 1));
  }

  #fold(count: number): Transcript {
    const nearest = Math.min(Math.floor(count / BETWEEN_CHECKPOINTS), this.#checkpoints.length - 1);
    if (count < this.#applied || nearest * BETWEEN_CHECKPOINTS > this.#applied) {
      this.#transcript = copy(this.#checkpoints[nearest]!);
      this.#applied = nearest * BETWEEN_CHECKPOINTS;
    }
    while (this.#applied < count) {
      apply(this.#transcript, this.entries[this.#applied]!);
      this.#applied += 1;
      if (this.#applied === this.#checkpoints.length * BETWEEN_CHECKPOINTS) {
        this.#checkpoints.push(copy(this.#transcript));
      }
    }
    return this.#transcript;
  }
}

/** The first of `length` places for which `above` holds, which then holds for all after it; `length` if for none. */
function firstAbove(length: number, above: (place: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (above(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

type Parts = Extract<Entry, { type: "turn.delta" | "turn.thinking" }>;

function hasParts(entry: Entry): entry is Parts & { chunks: [number, number][] } {
  return (entry.type === "turn.delta" || entry.type === "turn.thinking") && (entry.chunks?.length ?? 0) > 1;
}

/** When an entry is wholly told. */
export function lastAt(entry: Entry): number {
  return hasParts(entry) ? entry.at + entry.chunks.at(-1)![1] / 1000 : entry.at;
}

/** The entry as far as it had come by `at`: the same object when whole. */
export function told(entry: Entry, at: number): Entry {
  if (!hasParts(entry) || at >= lastAt(entry)) return entry;
  let length = 0;
  for (const [points, milliseconds] of entry.chunks) {
    if (entry.at + milliseconds / 1000 > at) break;
    length += points;
  }
  const text = Array.from(entry.text).slice(0, length).join(""); // by code points, as Python counts
  return { ...entry, text };
}
