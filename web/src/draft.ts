/** What the convene form holds, remembered in this browser until the next visit. */
import type { House, Opening } from "./api";
import type { Limits, Panelist } from "./protocol.gen";

export interface Draft {
  topic: string;
  panel: Panelist[];
  policy: string;
  limits: Partial<Limits>;
  then: Opening["then"];
  /** False: off the record. */
  record: boolean;
}

const KEY = "roundtable.draft";

let handed: Draft | null = null;

/** Hand a draft to the form that opens next, without writing it anywhere. */
export function hand(draft: Draft): void {
  handed = draft;
}

/**
 * A panel nobody changed is not remembered: the default grows with the models that are connected. Nor is a question
 * that is meant for no record, and the switch is thrown anew each time.
 */
export function remember(draft: Draft, house?: House): void {
  const same = house && JSON.stringify(draft.panel) === JSON.stringify(house.default_panel);
  const kept = draft.record ? draft : { ...draft, topic: "", record: true };
  localStorage.setItem(KEY, JSON.stringify(same ? { ...kept, panel: [] } : kept));
}

/**
 * What was handed over, else the remembered draft; a fresh one when there is none, or it was written by a version
 * with another shape.
 */
export function recall(house: House): Draft {
  const fresh = freshDraft(house);
  const given = handed;
  handed = null;
  if (given) return { ...given, policy: known(house, given.policy) };
  try {
    const draft = JSON.parse(localStorage.getItem(KEY) ?? "null") as Partial<Draft> | null;
    const { topic, panel, policy, limits, then } = draft ?? {};
    if (typeof topic !== "string" || !Array.isArray(panel) || typeof policy !== "string" || !limits) return fresh;
    const seats = panel.filter(({ name, model }) => typeof name === "string" && typeof model === "string");
    return {
      topic,
      panel: seats.length > 0 ? seats : fresh.panel,
      policy: known(house, policy),
      limits,
      then: then === "rest" ? "rest" : "close",
      record: true,
    };
  } catch {
    return fresh;
  }
}

export function freshDraft(house: House): Draft {
  return {
    topic: "",
    panel: house.default_panel,
    policy: known(house, ""),
    limits: house.limits,
    then: "close",
    record: true,
  };
}

/** The policy, where this house has it; else the one it has first. */
function known(house: House, policy: string): string {
  return (house.policies.find(({ name }) => name === policy) ?? house.policies[0])?.name ?? "round_robin";
}

export const MAX_TOPIC = 20_000; // characters; the server's own bound
export const SEATS = { fewest: 2, most: 12 };

const NAMES = ["Ada", "Ben", "Cleo", "Dag", "Eva", "Finn", "Gita", "Hugo", "Iris", "Jon", "Kaya", "Leo"];

/** A name nobody at the table has. */
export function freeName(panel: Panelist[]): string {
  const taken = new Set(panel.map(({ name }) => name.toLowerCase()));
  return NAMES.find((name) => !taken.has(name.toLowerCase())) ?? `Seat ${panel.length + 1}`;
}

/** JSON path of a member -> what is wrong with it, as the server would say. */
export type Faults = Record<string, string>;

export function faultsOf(draft: Draft): Faults {
  const faults: Faults = {};
  if (!draft.topic.trim()) faults["topic"] = "Write what they should discuss.";
  else if ([...draft.topic].length > MAX_TOPIC) faults["topic"] = "The question is too long.";
  draft.panel.forEach(({ name, model }, seat) => {
    const same = draft.panel.filter((other) => other.name.trim().toLowerCase() === name.trim().toLowerCase());
    if (!name.trim()) faults[`panel[${seat}].name`] = "Everyone at the table needs a name.";
    else if (same.length > 1) faults[`panel[${seat}].name`] = "Two at the table have this name.";
    if (!model.trim()) faults[`panel[${seat}].model`] = "Choose who speaks from this seat.";
  });
  for (const [name, value] of Object.entries(draft.limits)) {
    if (typeof value === "number" && !(value > 0)) faults[`limits.${name}`] = "A limit is more than 0.";
  }
  return faults;
}

/** What is sent: blanks around names would be refused, and limits that were left empty are absent. */
export function openingOf(draft: Draft): Opening {
  const limits = Object.fromEntries(Object.entries(draft.limits).filter(([, value]) => typeof value === "number"));
  const panel = draft.panel.map((seat) => ({ ...seat, name: seat.name.trim(), model: seat.model.trim() }));
  const { topic, policy, then, record } = draft;
  return { topic: topic.trim(), panel, policy, limits, then, ...(!record && { record }) };
}
