/** The play script: turns, what people said, and notes, in the order in which they began. */
import type { Note } from "./chronicle";
import type { Posted, Transcript, Turn } from "./protocol.gen";
import { FAILURES_BEFORE_ABSENT, INTERRUPTED } from "./reduce";

export type Line =
  | { kind: "turn"; key: string; seq: number; turn: Turn }
  | { kind: "message"; key: string; seq: number; message: Posted }
  | { kind: "note"; key: string; seq: number; note: Note };

// A Line of the same Turn is the same object, so that a view touches only what changed.
const lines = new WeakMap<object, Line>();

function line<T extends object>(of: T, make: (of: T) => Line): Line {
  let made = lines.get(of);
  if (!made) lines.set(of, (made = make(of)));
  return made;
}

/**
 * Everything up to the Transcript's moment. A turn stands where it got the floor, and its own notes stand with it.
 * One that never got it is not in the script: its place in the queue lies above what was read since.
 */
export function scriptOf({ turns, messages }: Transcript, notes: Note[]): Line[] {
  const script = [
    ...turns.filter(({ started_at }) => started_at > 0).map((turn) =>
      line(turn, () => ({ kind: "turn", key: turn.turn, seq: turn.started_seq, turn })),
    ),
    ...messages.map((message) =>
      line(message, () => ({ kind: "message", key: `m${message.seq}`, seq: message.seq, message })),
    ),
    ...notes.filter(({ turn }) => !turn).map((note) => line(note, () => ({ kind: "note", key: `n${note.seq}`, seq: note.seq, note }))),
  ];
  return script.sort((a, b) => a.seq - b.seq);
}

/** Turn by which its panelist left the table, as the fold counts failures -> how many others were still there. */
export function departures({ panel, turns }: Transcript): Map<string, number> {
  const left = new Map<string, number>();
  const absent = new Set<string>();
  const failures = new Map<string, number>();
  const ended = turns.filter(({ ended_at }) => ended_at > 0).sort((a, b) => a.ended_at - b.ended_at);
  for (const { turn, panelist, status, error } of ended) {
    if (status === "completed") [failures, absent].forEach((each) => each.delete(panelist));
    if (status !== "failed" || !error || error.code === INTERRUPTED) continue;
    const count = (failures.get(panelist) ?? 0) + 1;
    failures.set(panelist, count);
    if (error.retryable && count !== FAILURES_BEFORE_ABSENT) continue;
    absent.add(panelist);
    left.set(turn, panel.length - absent.size);
  }
  return left;
}
