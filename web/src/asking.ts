/** What a person has asked of the table, and how somebody at it stands, in words. */
import { isHeard } from "./kinds";
import type { Command, Transcript } from "./protocol.gen";
import { absence, own } from "./reduce";
import { listed, reasonNote, sentence } from "./words";

/** Under whose name a person speaks who gives none. */
export const HOST = "Host";

const ASKS: Record<string, (what: Command) => string> = {
  say: () => "your words", barge_in: () => "your words, at once", pause: () => "pause", resume: () => "go on", close: () => "stop",
  cancel: () => "skip", stress_test: () => "a stress test", put: () => "a file", skip: (what) => `skip ${who(what)}`, retry: () => "ask again", raise_hand: () => "your hand", lower_hand: () => "your hand",
  mute: (what) => `mute ${who(what)}`, unmute: (what) => `unmute ${who(what)}`, add: () => "another seat", remove: (what) => `remove ${who(what)}`,
  swap: (what) => `swap ${who(what)}`, extend: () => "limits", verdict: () => "a verdict", title: () => "title",
};

function who(what: Command): string {
  return "panelist" in what ? (what.panelist ?? "") : "";
}

/** What was asked of the table and has not come about yet. */
export function pendingWords(asked: Command[]): string {
  const known = asked.map((what) => own(ASKS, what.type)?.(what) ?? String(what.type).replaceAll("_", " ")).filter(Boolean);
  return known.length > 0 ? `Sent, and not yet done: ${listed(known)}.` : "";
}

/** How somebody stands at the table, in a sentence. */
export function seatState(transcript: Transcript, name: string): string {
  const { muted, removed, turns, status } = transcript;
  if (removed.includes(name)) return "Left the table at a person’s wish.";
  const failure = absence(transcript, name);
  if (failure) return `Absent: ${sentence(failure.detail)} Another model, or asking again, brings them back.`;
  if (muted.includes(name)) return "Muted: gets no turns.";
  const turn = turns.findLast((each) => each.panelist === name);
  if (status === "closed") return "The table is closed.";
  if (turn?.status === "started") return turn.yielding ? "Yields the floor." : isHeard(turn) ? `Has the floor${reasonNote(turn)}.` : "Is asked for a form.";
  return turn?.status === "queued" ? `Is next${reasonNote(turn)}.` : "Listens.";
}
