/** Kinds of turns, as in `protocol/kinds.py`: what is part of the talk, and what a method asks for in a form. */
import type { Turn } from "./protocol.gen";

const PAPERWORK = new Set(["moderation", "bid", "vote", "ballot", "stances", "summary", "judgement"]);

export const VERDICT = "verdict";

/** Whether what is said in it is part of the talk; a kind this version does not know is. */
export function isHeard({ kind }: Pick<Turn, "kind">): boolean {
  return !PAPERWORK.has(kind);
}

/** What kind of contribution it is, where that is more than a speech: "opening", "attack". */
export function kindWord({ kind }: Pick<Turn, "kind">): string {
  return kind === "speech" ? "" : kind.replaceAll("_", " ");
}

/** On which side of a debate she speaks, as its method gives the reason. */
export function sideOf({ reason }: Pick<Turn, "reason">): string {
  return /^(?:for|against) the motion\b/.exec(reason)?.[0] ?? "";
}

/** She was asked whether there is anything to add, and there was not. */
export function isPass({ text, status }: Pick<Turn, "text" | "status">): boolean {
  return status === "completed" && /^[\s\[("'*]*pass[\s\])"'*.!]*$/i.test(text);
}

/** A person took the floor from her. */
export function isInterrupted({ reason }: Pick<Turn, "reason">): boolean {
  return reason === "barge_in";
}
