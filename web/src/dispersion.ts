/** How far apart the positions of each round are, as it was measured. It is dispersion, and no measure of agreement. */
import { found, type Of } from "./findings";
import type { Transcript } from "./protocol.gen";

export interface Dispersion {
  points: { round: number; value: number; voices: number }[];
  method: Of<"entropy">["method"];
  model: string;
  /** Below it the discussion ends; null where nothing does. */
  threshold: number | null;
  /** The round in which it fell below; 0 while it has not. */
  reached: number;
}

/** Null while nothing was measured. Only values of the last method stand side by side: those of others do not compare. */
export function dispersionOf(transcript: Transcript): Dispersion | null {
  const measured = found(transcript, "entropy");
  const last = measured.at(-1);
  if (!last) return null;
  const rounds = new Map(
    measured.filter(({ method, model }) => method === last.method && model === last.model).map((each) => [each.round, each]),
  );
  const points = [...rounds.values()].sort((a, b) => a.round - b.round).map(({ round, value, voices }) => ({ round, value, voices }));
  const converged = found(transcript, "converge").findLast(({ method }) => method === last.method);
  return {
    points, method: last.method, model: last.model,
    threshold: transcript.until.convergence ?? converged?.threshold ?? null,
    reached: converged?.round ?? 0,
  };
}

/** By what it was measured, for people. */
export function methodWords({ method, model }: Pick<Dispersion, "method" | "model">): string {
  return method === "lexical"
    ? "Lexical: how different their words are, from 0 to 1. It does not say whether they agree."
    : `By embeddings${model ? ` of ${model}` : ""}: how far apart their positions lie, from 0 to 1. It does not say whether they agree.`;
}

export interface Chart {
  points: { x: number; y: number; round: number; value: number }[];
  line: string;
  /** Where the threshold is drawn; null where there is none. */
  threshold: number | null;
}

/** Drawn in a box; 1 is its upper edge, 0 its lower. A single round stands in the middle. */
export function chartOf({ points, threshold }: Dispersion, width: number, height: number, inset: number): Chart {
  const at = (value: number) => round(inset + (1 - Math.min(1, Math.max(0, value))) * (height - 2 * inset));
  const [first, last] = [points[0]!.round, points.at(-1)!.round];
  const along = (number: number) => (last === first ? width / 2 : inset + ((number - first) / (last - first)) * (width - 2 * inset));
  const drawn = points.map((point) => ({ ...point, x: round(along(point.round)), y: at(point.value) }));
  return {
    points: drawn,
    line: drawn.map(({ x, y }, place) => `${place ? "L" : "M"}${x} ${y}`).join(""),
    threshold: threshold === null ? null : at(threshold),
  };
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
