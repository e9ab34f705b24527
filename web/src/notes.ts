/** What happens at a table beside the talk, in a sentence or two each: who came and went, what was asked for, what it cost. */
import type { Finding } from "./findings";
import { count, counted, dollars, span } from "./figures";
import type { Limits, MaterialAdded, PanelChanged, Panelist } from "./protocol.gen";
import { barsOf, isBallot, points, signed, type Tally, winnerWords } from "./tally";
import { endReason, listed, modelLabel, sentence } from "./words";

/** Of a finding that is set in the script; empty where it is shown elsewhere. */
export function noteOf(finding: Finding): string {
  switch (finding.type) {
    case "tally.counted":
      return tallyNote(finding);
    case "converge":
      return `Dispersion fell to ${finding.value.toFixed(2)}, below ${finding.threshold.toFixed(2)}, by ${finding.method === "lexical" ? "a lexical measure" : "embeddings"}.`;
    case "budget.warned":
      return warning(finding.name, finding.used, finding.limit);
    case "budget.degraded":
      return degraded(finding.measure, finding.detail);
    default:
      return "";
  }
}

function tallyNote(tally: Tally): string {
  const told = barsOf(tally).map(({ name, score, swing }) => `${name} ${points(score)}${swing === null ? "" : ` (${signed(swing)})`}`);
  const what = isBallot(tally) ? "Points" : "Votes";
  return `${what}: ${told.join(", ") || "none"}. ${winnerWords(tally).join(" ")}`;
}

const UNITS: Record<string, (value: number) => string> = {
  max_dollars: dollars, max_seconds: span,
  max_tokens: (value) => `${count(value)} tokens`, max_turns: (value) => `${count(value)} turns`, max_rounds: (value) => `${count(value)} rounds`,
};

/** A value in a limit's own unit. */
export function inUnit(name: string, value: number): string {
  return (Object.hasOwn(UNITS, name) ? UNITS[name]! : count)(value);
}

/** Four fifths of a limit are used. */
export function warning(name: string, used: number, limit: number): string {
  return `${inUnit(name, used)} of ${inUnit(name, limit)} are used.`;
}

const MEASURES: Record<string, string> = {
  fewer_rounds: "To end within the limit, there are fewer rounds.",
  cheaper_chair: "To end within the limit, a cheaper model writes the verdict.",
  no_ballots: "To end within the limit, nobody ranks the answers.",
  no_stances: "To end within the limit, nobody reads where each one stands.",
  no_synthesis: "To end within the limit, there is no synthesis.",
};

function degraded(measure: string, detail: string): string {
  const what = Object.hasOwn(MEASURES, measure) ? MEASURES[measure]! : sentence(measure.replaceAll("_", " "));
  return `${what} ${sentence(detail)}`.trim();
}

// -- Of entries that the Transcript keeps no trace of ------------------------------------------------------------

/** Who came, went, or speaks through another model; `before` is who sat there. */
export function changeNote({ change, panelist, seat }: Pick<PanelChanged, "change" | "panelist" | "seat">, before?: Panelist): string {
  switch (change) {
    case "added":
      return `${panelist} takes a seat${seat ? `: ${seatWords(seat)}` : ""}.`;
    case "removed":
      return `${panelist} left the table at a person’s wish. What was said stays.`;
    case "muted":
      return `${panelist} is muted, and gets no turns.`;
    case "unmuted":
      return `${panelist} is heard again.`;
    case "swapped":
      if (!seat) return "";
      if (seat.name !== panelist) return `${seat.name} takes ${panelist}’s place: ${seatWords(seat)}.`;
      return seat.model === before?.model ? `${panelist} was told something else to be.` : `${panelist} speaks through ${modelLabel(seat.model)} from here on.`;
    default:
      return "";
  }
}

function seatWords({ model, role }: Panelist): string {
  return role ? `${modelLabel(model)}, as ${role}` : modelLabel(model);
}

/** Something was laid on the table. */
export function materialNote({ author, name, pages, cut }: Pick<MaterialAdded, "author" | "name" | "pages" | "cut">): string {
  const about = [pages > 0 && counted(pages, "page"), cut && "cut short"].filter((each) => typeof each === "string");
  return `${author || "A person"} laid “${name}” on the table${about.length > 0 ? `: ${about.join(", ")}` : ""}.`;
}

/** "3 rounds and $0.50"; empty where nothing is limited. */
export function limitWords(limits: Partial<Limits>): string {
  return listed(Object.entries(limits).flatMap(([name, value]) => (typeof value === "number" ? [inUnit(name, value)] : [])));
}

export function limitsNote(limits: Partial<Limits>): string {
  return limitWords(limits) ? `From here on at most ${limitWords(limits)}.` : "From here on nothing limits the table.";
}

export function titleNote(title: string): string {
  return title ? `The table is called “${title}” now.` : "The table is called by its question again.";
}

export function handNote(author: string, within: number): string {
  const bound = within ? `, for at most ${span(within)}` : "";
  return `${author || "A person"} raised a hand. Once whoever speaks has ended, nobody begins until something is said${bound}.`;
}

export function loweredNote(author: string, reason: string): string {
  const who = author || "A person";
  if (reason === "said") return ""; // what was said stands there
  return reason === "timeout" ? `${who} said nothing; the table goes on.` : `${who} lowered the hand; the table goes on.`;
}

export function concludingNote(reason: string, limits: Partial<Limits>, detail: string): string {
  const why = reason === "command" ? "A person asked for the verdict." : endReason(reason, limits, detail);
  return `${why} The discussion is over; what follows is the verdict.`;
}
