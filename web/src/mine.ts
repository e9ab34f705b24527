/** What this browser said at which table: the idempotency keys of its messages, so that they can be shown as "You". */
import { seqOf, ZERO } from "./cursor";
import type { Transcript } from "./protocol.gen";
import { own } from "./reduce";

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

/** The entries that were the effect of these keys, by number. */
export function spokenBy({ commands }: Transcript, keys: Set<string>): Set<number> {
  return new Set([...keys].map((key) => seqOf(own(commands, key) ?? ZERO)));
}
