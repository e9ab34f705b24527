/** The ways to hold a table, by what they are for. */
import type { PolicySummary } from "./api";

const PURPOSES: [title: string, names: string[]][] = [
  ["To talk it over", ["round_robin", "floor_time", "raise_hand", "moderated"]],
  ["To hear each one’s own answer", ["parallel", "council", "delphi"]],
  ["To test a claim", ["debate", "red_team"]],
];

export interface Purpose {
  title: string;
  methods: PolicySummary[];
}

/** Those of this house, the first purpose first; what other packages bring stands at the end. */
export function purposesOf(policies: PolicySummary[]): Purpose[] {
  const placed = new Set(PURPOSES.flatMap(([, names]) => names));
  const groups = PURPOSES.map(([title, names]) => ({ title, methods: names.flatMap((name) => policies.find((each) => each.name === name) ?? []) }));
  groups.push({ title: "Others", methods: policies.filter(({ name }) => !placed.has(name)) });
  return groups.filter(({ methods }) => methods.length > 0);
}
