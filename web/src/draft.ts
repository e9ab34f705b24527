/** What the convene form holds, remembered in this browser until the next visit. */
import type { House, Keep, KeptPanel, Opening, PolicySummary } from "./api";
import type { Limits, Panelist, Until } from "./protocol.gen";
import { seatOf } from "./scene";

export interface Draft {
  topic: string;
  panel: Panelist[];
  policy: string;
  limits: Partial<Limits>;
  /** Empty: a table that comes to a verdict rests after it, another is closed. */
  then: Opening["then"] | "";
  /** Null: as the method has it, like `until`. */
  verdict: boolean | null;
  until: Until | null;
  title: string;
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
  const kept = draft.record ? draft : { ...draft, topic: "", title: "", record: true };
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
    const { topic, panel, policy, limits, then, verdict, until, title } = draft ?? {};
    if (typeof topic !== "string" || !Array.isArray(panel) || typeof policy !== "string" || !limits) return fresh;
    const seats = panel.filter(({ name, model }) => typeof name === "string" && typeof model === "string");
    return {
      topic,
      panel: seats.length > 0 ? seats.map((seat) => ({ ...seatOf(seat.name, seat.model), ...seat })) : fresh.panel,
      policy: known(house, policy),
      limits,
      then: then === "rest" || then === "close" ? then : "",
      verdict: typeof verdict === "boolean" ? verdict : null,
      until: until ?? null,
      title: title ?? "",
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
    then: "",
    verdict: null,
    until: null,
    title: "",
    record: true,
  };
}

/** The policy, where this house has it; else the one it has first. */
function known(house: House, policy: string): string {
  return (house.policies.find(({ name }) => name === policy) ?? house.policies[0])?.name ?? "round_robin";
}

const NO_ENDS: Until = { convergence: null, consensus: false, loop: false, passes: false };

/** What holds where the draft leaves it to the method. */
export function settled({ verdict, until, then }: Draft, method: PolicySummary | undefined): Pick<Opening, "verdict" | "until" | "then"> {
  const concludes = verdict ?? method?.verdict ?? false;
  return { verdict: concludes, until: until ?? method?.until ?? NO_ENDS, then: then || (concludes ? "rest" : "close") };
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

export function faultsOf(draft: Draft, method?: PolicySummary): Faults {
  const faults: Faults = {};
  if (!draft.topic.trim()) faults["topic"] = "Write what they should discuss.";
  else if ([...draft.topic].length > MAX_TOPIC) faults["topic"] = "The question is too long.";
  draft.panel.forEach(({ name, model }, seat) => {
    const same = draft.panel.filter((other) => other.name.trim().toLowerCase() === name.trim().toLowerCase());
    if (!name.trim()) faults[`panel[${seat}].name`] = "Everyone at the table needs a name.";
    else if (same.length > 1) faults[`panel[${seat}].name`] = "Two at the table have this name.";
    if (!model.trim()) faults[`panel[${seat}].model`] = "Choose who speaks from this seat.";
  });
  for (const office of ["moderator", "chair"]) {
    const held = draft.panel.flatMap(({ role }, seat) => (role === office ? [seat] : []));
    if (held.length > 1) faults[`panel[${held[1]}]`] = `A table has one ${office}.`;
  }
  const voices = draft.panel.filter(({ role }) => !role).length;
  if (method?.least && voices < method.least) faults["panel"] = `“${method.title}” takes ${method.least} panelists or more; ${voices} take part here.`;
  for (const [name, value] of Object.entries(draft.limits)) {
    if (typeof value === "number" && !(value > 0)) faults[`limits.${name}`] = "A limit is more than 0.";
  }
  return faults;
}

/** What is sent: blanks around names would be refused, and limits that were left empty are absent. */
export function openingOf(draft: Draft, method?: PolicySummary): Opening {
  const limits = Object.fromEntries(Object.entries(draft.limits).filter(([, value]) => typeof value === "number"));
  const { topic, policy, record } = draft;
  const title = draft.title.trim();
  return { topic: topic.trim(), panel: trimmed(draft.panel), policy, limits, ...settled(draft, method), ...(title && { title }), ...(!record && { record }) };
}

/** Blanks around names and models would be refused. */
export function trimmed(panel: Panelist[]): Panelist[] {
  return panel.map((seat) => ({
    ...seat, name: seat.name.trim(), model: seat.model.trim(), fallback: seat.fallback.map((model) => model.trim()).filter(Boolean),
  }));
}

// -- Panels that are kept under a name ---------------------------------------------------------------------------

/** What is kept of a draft: all but its question. What it leaves to its method is left to it there too. */
export function keepOf(draft: Draft, method?: PolicySummary): Keep {
  const { panel, policy, limits, then } = openingOf(draft, method);
  const { verdict, until } = draft;
  return { panel, policy, limits, then, ...(verdict !== null && { verdict }), ...(until && { until }) };
}

/** The draft with a kept panel's seats and ways, and its own question. */
export function seatedBy(draft: Draft, { panel, policy, limits, then, verdict, until }: KeptPanel): Draft {
  return { ...draft, panel: panel.map((seat) => ({ ...seatOf(seat.name, seat.model), ...seat })), policy, limits, then, verdict, until };
}

/** What was typed, as the name of a panel may look: blanks are no part of an address. */
export function panelName(typed: string): string {
  return typed.trim().replace(/\s+/g, "-");
}
