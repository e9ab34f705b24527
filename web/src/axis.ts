/**
 * Table time: seconds since the table opened, with silence between turns shortened, so that a table which rested
 * overnight is not one long blank. Clocks, timeline and replay all run in table time.
 */
import type { Transcript } from "./protocol.gen";

// A pause one notices and need not sit through.
const LONGEST_SILENCE = 3;

/** Breakpoints of a piecewise linear, rising function between wall time (Unix seconds) and table time. */
export class Axis {
  constructor(
    private readonly walls: number[],
    private readonly tables: number[],
  ) {}

  get length(): number {
    return this.tables.at(-1) ?? 0;
  }

  toTable(wall: number): number {
    return interpolate(this.walls, this.tables, wall);
  }

  toWall(table: number): number {
    return interpolate(this.tables, this.walls, table);
  }
}

/** The axis of a table up to `now` (Unix seconds). Adding entries never moves what came before them. */
export function axisOf(transcript: Transcript, now: number): Axis {
  const walls = [transcript.opened_at];
  const tables = [0];
  const reach = (wall: number, busy: boolean) => {
    const step = wall - walls.at(-1)!;
    if (step <= 0) return;
    if (!busy && step > LONGEST_SILENCE) {
      walls.push(wall);
      tables.push(tables.at(-1)! + LONGEST_SILENCE);
    } else {
      walls.push(wall);
      tables.push(tables.at(-1)! + step);
    }
  };
  for (const [from, to] of busySpans(transcript, now)) {
    reach(from, false);
    reach(to, true);
  }
  reach(now, false);
  return new Axis(walls, tables);
}

function busySpans(transcript: Transcript, now: number): [number, number][] {
  const spans: [number, number][] = transcript.messages.map(({ at }) => [at, at]);
  for (const turn of transcript.turns) {
    if (turn.started_at) spans.push([turn.started_at, turn.ended_at || Math.max(now, turn.started_at)]);
  }
  return spans.sort((a, b) => a[0] - b[0]);
}

/** The value at `x` of the line through (xs[i], ys[i]); held at both ends. `xs` rises. */
function interpolate(xs: number[], ys: number[], x: number): number {
  if (x <= (xs[0] ?? 0)) return ys[0] ?? 0;
  if (x >= xs.at(-1)!) return ys.at(-1)!;
  let [low, high] = [0, xs.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (xs[middle]! <= x) low = middle;
    else high = middle;
  }
  const part = (x - xs[low]!) / (xs[high]! - xs[low]!);
  return ys[low]! + part * (ys[high]! - ys[low]!);
}
