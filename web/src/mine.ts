/** What this browser said at which table: the idempotency keys of its messages, so that they can be shown as "You". */
import { seqOf } from "./cursor";
import type { Transcript } from "./protocol.gen";

const KEY = "roundtable.mine";
const KEPT = 500; // messages; the oldest are forgotten first

function all(): [table: string, key: string][] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

export function mineAt(table: string): Set<string> {
  return new Set(all().flatMap(([at, key]) => (at === table ? [key] : [])));
}

export function remember(table: string, key: string): Set<string> {
  localStorage.setItem(KEY, JSON.stringify([...all(), [table, key]].slice(-KEPT)));
  return mineAt(table);
}

/**
 * The messages that were the effect of these keys, and the entries at which those effects began, by number. An effect
 * is written in one piece, so a message belongs to the last command that took effect before it or with it.
 */
export function spokenBy({ commands, messages }: Pick<Transcript, "commands" | "messages">, keys: Set<string>): Set<number> {
  const effects = Object.entries(commands).map(([key, cursor]) => ({ seq: seqOf(cursor), own: keys.has(key) })).sort((a, b) => a.seq - b.seq);
  const said = new Set(effects.flatMap(({ seq, own }) => (own ? [seq] : [])));
  for (const { seq } of messages) if (effects.findLast((each) => each.seq <= seq)?.own) said.add(seq);
  return said;
}
