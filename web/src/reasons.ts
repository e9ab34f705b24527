/** Why somebody speaks, was stopped, or how words reach the others; and what ends a discussion. */
import { isInterrupted } from "./kinds";
import type { Turn, Until } from "./protocol.gen";
import { own } from "./reduce";
import { sentence } from "./words";

/** Why she speaks, above her words; empty where that is told elsewhere: her side, her part, a name called, a question put. */
export function reasonAbove({ reason, question, kind, status }: Pick<Turn, "reason" | "question" | "kind" | "status">): string {
  if (status === "cancelled") return ""; // then it says why she was stopped
  if (reason === "" || reason === "asked" || reason === "swapped" || question || kind === "verdict" || /^(?:for|against) the motion$|^(?:propos|revis)es$/.test(reason)) return "";
  return sentence(reason);
}

/** How a round's words reach the others, where that is not by name. */
export function blindWords(policy: string, kind: string): string {
  if (kind !== "answer") return "";
  return policy === "delphi" || policy === "council" ? "without hearing each other; passed on without names" : "";
}

/** Of a turn that was cut: by whom or what. */
export function cancelNote({ panelist, reason, text }: Turn): string {
  if (isInterrupted({ reason })) return text ? `${panelist} was interrupted here.` : `${panelist} gave the floor away before a word.`;
  return `${panelist} was ${text ? "stopped here" : "skipped"}. ${cancelReason(reason)}`.trim();
}

const CANCELLED: Record<string, string> = {
  command: "A person skipped the rest.", skipped: "A person skipped the rest.", closing: "The table was closing.",
  concluding: "A person asked for the verdict.", muted: "A person muted the seat.", removed: "A person emptied the seat.",
  swapped: "Another takes the place.", max_dollars: "The money was spent.", max_tokens: "The tokens were used up.",
  max_seconds: "The time was up.", absent: "The seat was empty by then.", fork: "The fork begins here.",
};

function cancelReason(reason: string): string {
  return own(CANCELLED, reason) ?? sentence(reason.replaceAll("_", " "));
}

/** What ends the discussion before its limits do. */
export function exitWords({ convergence, consensus, loop, passes }: Partial<Until>): string {
  const ends = [
    typeof convergence === "number" && `dispersion falls below ${convergence}`, consensus && "nobody opposes any claim",
    loop && "they repeat themselves", passes && "nobody has anything to add",
  ].filter((each) => typeof each === "string");
  return ends.length > 0 ? `It ends sooner when ${ends.length > 1 ? `${ends.slice(0, -1).join(", ")} or ${ends.at(-1)}` : ends[0]}.` : "";
}
