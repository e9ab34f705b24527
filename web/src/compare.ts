/** Two futures of one past: what both have in common, and in what they differ. */
import type { House } from "./api";
import { isHeard } from "./kinds";
import { limitWords } from "./notes";
import type { Panelist, Transcript } from "./protocol.gen";
import { type Seat, seatsOf } from "./scene";
import { modelLabel } from "./words";

/** How many turns, messages and findings, from the first on, are the same at both tables. */
export interface Common {
  turns: number;
  messages: number;
  findings: number;
}

/**
 * A fork tells its past again with the times of the original, so what happened at the same moment is the same; two
 * voices that say the same later are not.
 */
export function commonOf(one: Transcript, other: Transcript): Common {
  return {
    turns: alike(one.turns, other.turns, (a, b) =>
      a.queued_at === b.queued_at && a.started_at === b.started_at && a.ended_at === b.ended_at && a.panelist === b.panelist && a.text === b.text),
    messages: alike(one.messages, other.messages, (a, b) => a.at === b.at && a.text === b.text),
    findings: alike(one.findings, other.findings, (a, b) => a.at === b.at && a.finding.type === b.finding.type),
  };
}

function alike<T>(one: readonly T[], other: readonly T[], same: (a: T, b: T) => boolean): number {
  const most = Math.min(one.length, other.length);
  let count = 0;
  while (count < most && same(one[count]!, other[count]!)) count += 1;
  return count;
}

/** The part of a table that the other has too. */
export function pastOf(transcript: Transcript, { turns, messages, findings }: Common): Transcript {
  return {
    ...transcript,
    turns: transcript.turns.slice(0, turns), messages: transcript.messages.slice(0, messages), findings: transcript.findings.slice(0, findings),
  };
}

/** The rest of it. */
export function futureOf(transcript: Transcript, { turns, messages, findings }: Common): Transcript {
  return {
    ...transcript,
    turns: transcript.turns.slice(turns), messages: transcript.messages.slice(messages), findings: transcript.findings.slice(findings),
  };
}

/** "Until here both are the same: 4 turns, 2 messages." Of turns, those that are part of the talk. */
export function heardIn({ turns }: Transcript): number {
  return turns.filter((turn) => isHeard(turn) && turn.started_at > 0).length;
}

/** Something that is not the same at both. */
export interface Difference {
  what: string;
  one: string;
  other: string;
}

type Told = (transcript: Transcript, house: House | undefined) => string;

const TOLD: [what: string, told: Told][] = [
  ["Question", ({ topic }) => topic],
  ["Method", ({ policy }, house) => house?.policies.find(({ name }) => name === policy)?.title ?? policy],
  ["Limits", ({ limits }) => limitWords(limits) || "none"],
  ["Verdict", ({ verdict }) => (verdict ? "asked for" : "not asked for")],
  ["Afterwards", ({ then }) => (then === "rest" ? "rests" : "is closed")],
];

export function differencesOf(one: Transcript, other: Transcript, house: House | undefined): Difference[] {
  const told = TOLD.map(([what, words]) => ({ what, one: words(one, house), other: words(other, house) }));
  return [...told, ...seatDifferences(one, other)].filter((each) => each.one !== each.other);
}

function seatDifferences(one: Transcript, other: Transcript): Difference[] {
  const [here, there] = [seated(one), seated(other)];
  const names = [...new Set([...here.keys(), ...there.keys()])];
  const both = names.filter((name) => here.has(name) && there.has(name));
  const orderOf = (seats: Map<string, Panelist>) => [...seats.keys()].filter((name) => both.includes(name)).join(", ");
  return [
    ...names.map((name) => ({ what: name, one: seatWords(here.get(name), there.get(name)), other: seatWords(there.get(name), here.get(name)) })),
    { what: "Order", one: orderOf(here), other: orderOf(there) },
  ];
}

/** Everyone who has a seat at either, each once: in the order of the first, and then of the other. */
export function companyOf(one: Transcript, other: Transcript): Seat[] {
  const there = other.panel.filter(({ name }) => !one.panel.some((each) => each.name === name));
  return seatsOf([...one.panel, ...there]);
}

/** Name -> who sits there. */
function seated({ panel, removed }: Transcript): Map<string, Panelist> {
  return new Map(panel.filter(({ name }) => !removed.includes(name)).map((seat) => [seat.name, seat]));
}

const ASPECTS: ((seat: Panelist, beside: Panelist) => string)[] = [
  ({ model }, beside) => (modelLabel(model) === modelLabel(beside.model) ? model : modelLabel(model)), ({ role }) => (role ? `as ${role}` : "as a panelist"), ({ persona }) => persona || "no persona",
];

/** What is said of a seat beside another of that name: what they differ in, or the model where there is none. */
function seatWords(seat: Panelist | undefined, beside: Panelist | undefined): string {
  if (!seat) return "not at the table";
  if (!beside) return modelLabel(seat.model);
  return ASPECTS.map((aspect) => (aspect(seat, beside) === aspect(beside, seat) ? "" : aspect(seat, beside))).filter(Boolean).join(", ");
}
