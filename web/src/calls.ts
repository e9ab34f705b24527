/** A turn's words with the tool calls where they were made. */
import type { Call } from "./chronicle";
import { span } from "./figures";
import type { Turn } from "./protocol.gen";

export type Part = { kind: "words"; key: string; text: string } | { kind: "call"; key: string; call: Call };

/** What was called and what came back up to entry `seq`. */
export function callsAt(calls: Call[], seq: number): Call[] {
  return calls.filter((call) => call.seq <= seq).map((call) => {
    if (!call.result || call.result.seq <= seq) return call;
    const { result: _, ...open } = call;
    return open;
  });
}

const used = new WeakMap<Turn, Call[]>();

/**
 * The tools a turn used, as its Transcript tells: what, and not where among her words. They stand before these, where
 * a call mostly is made, until the recording tells more.
 */
export function usesOf(turn: Turn): Call[] {
  let calls = used.get(turn);
  if (!calls) {
    calls = (turn.uses ?? []).map(({ call, name, arguments: asked, done, text, error, truncated, seconds }) => ({
      call, name, seq: 0, after: 0, arguments: asked, ...(done && { result: { seq: 0, text, error, truncated, seconds } }),
    }));
    used.set(turn, calls);
  }
  return calls;
}

/** The text cut where a call was made; nothing that was read moves when another is. */
export function partsOf(text: string, calls: Call[]): Part[] {
  const parts: Part[] = [];
  let from = 0;
  calls.forEach((call, place) => {
    const until = Math.max(from, Math.min(call.after, text.length));
    if (text.slice(from, until).trim()) parts.push({ kind: "words", key: `w${place}`, text: text.slice(from, until) });
    parts.push({ kind: "call", key: `c${place}`, call });
    from = until;
  });
  if (text.slice(from) || calls.length === 0) parts.push({ kind: "words", key: `w${calls.length}`, text: text.slice(from) });
  return parts;
}

/** "Used files.read, 0.2 s." */
export function callWords({ name, result }: Call, open: boolean): string {
  const tool = name || "a tool";
  if (!result) return open ? `Uses ${tool}` : `Called ${tool}; no result came.`;
  const took = result.seconds >= 1 ? `, ${span(result.seconds)}` : "";
  return result.error ? `Used ${tool}${took}: it failed.` : `Used ${tool}${took}${result.truncated ? ", result cut short" : ""}.`;
}
