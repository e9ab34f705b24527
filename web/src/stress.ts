/** The stress test of a ranking: whether the winner wins when it is judged or counted another way. */
import type { Transcript } from "./protocol.gen";
import { listed, sentence } from "./words";

export interface Variation {
  name: string;
  winner: string;
  judge: string;
  detail: string;
  /** False: the judge could not be read. */
  read: boolean;
}

export interface Stress {
  winner: string;
  /** Null: not known. */
  survives: boolean | null;
  variations: Variation[];
}

/** The last one; null while none was asked for. */
export function stressOf({ findings }: Pick<Transcript, "findings">): Stress | null {
  const last = findings.findLast(({ finding }) => (finding.type as string) === "stress.tested");
  return (last?.finding as unknown as Stress | undefined) ?? null;
}

/** "order swapped". */
export function variationWord(name: string): string {
  return name.replaceAll("_", " ");
}

export function stressWords({ winner, survives, variations }: Stress): string {
  if (!winner) return "Nobody won, so there is nothing to test.";
  if (survives) return `${winner} wins every way it was judged and counted.`;
  const others = variations.filter((each) => each.read && each.winner !== winner).map(({ name }) => variationWord(name));
  if (survives === null) return `Whether ${winner} survives is not known.`;
  return `${winner} does not survive: another wins, or nobody, with ${listed(others)}.`;
}

/** Who wins in one of them, or why that is not known. */
export function variationWords({ winner, detail, read }: Variation): string {
  if (!read) return detail ? sentence(detail) : "could not be read";
  return winner || sentence(detail) || "nobody";
}

/** What a judge answered, where the finding is one. */
export function judgementWords(finding: object): string {
  const { type, variation, ranking } = finding as { type: string; variation?: string; ranking?: string[] };
  return type === "judgement.given" && variation && ranking ? `ranks ${ranking.join(", ")}; ${variationWord(variation)}.` : "";
}
