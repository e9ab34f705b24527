/** What a table's owner found out, looked up in a Transcript: readings of turns, counts, measures. */
import type { Transcript, Turn } from "./protocol.gen";

export type Found = Transcript["findings"][number];
export type Finding = Found["finding"];
export type Of<T extends Finding["type"]> = Extract<Finding, { type: T }>;

/** Findings of that type, oldest first; of all sittings. */
export function found<T extends Finding["type"]>({ findings }: Pick<Transcript, "findings">, type: T): Of<T>[] {
  return findings.flatMap(({ finding }) => (finding.type === type ? [finding as Of<T>] : []));
}

/** Those of this sitting: since the table opened or last woke from rest. */
export function foundNow<T extends Finding["type"]>({ findings, base_seq }: Transcript, type: T): Of<T>[] {
  return found({ findings: findings.filter(({ seq }) => seq > base_seq) }, type);
}

/** Turn -> what was read in it. */
export function readingsOf({ findings }: Transcript): Map<string, Finding[]> {
  const readings = new Map<string, Finding[]>();
  for (const { finding } of findings) {
    if (!("turn" in finding) || !finding.turn) continue;
    const known = readings.get(finding.turn);
    if (known) known.push(finding);
    else readings.set(finding.turn, [finding]);
  }
  return readings;
}

/** The verdict that was read in a turn. */
export function verdictIn(readings: Map<string, Finding[]>, turn: string): Of<"verdict.given"> | undefined {
  return readings.get(turn)?.find((each) => each.type === "verdict.given");
}

/** Who put the question to her; empty where nobody is named. */
export function askerOf(transcript: Transcript, { panelist, question }: Turn): string {
  if (!question) return "";
  const choice = foundNow(transcript, "speaker.chosen").findLast((each) => each.speaker === panelist && each.question === question);
  return choice?.panelist ?? "";
}
