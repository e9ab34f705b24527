/** Ballots and votes, counted: who leads by points, who beats every other in pairs, and what a debate moved. */
import { found, type Of } from "./findings";
import { counted } from "./figures";
import type { Transcript } from "./protocol.gen";

export type Tally = Of<"tally.counted">;

export interface Bar {
  name: string;
  score: number;
  /** Of the highest score, from 0 to 1. */
  part: number;
  leads: boolean;
  /** What a debate moved; null where nothing was compared. */
  swing: number | null;
}

/** The last count; null while nothing was counted. The one of a verdict stands for it where there is no other. */
export function tallyOf(transcript: Transcript): Tally | null {
  return found(transcript, "tally.counted").at(-1) ?? found(transcript, "verdict.given").at(-1)?.tally ?? null;
}

/** Best first; what only lost votes is named too. */
export function barsOf({ scores, swing, winner }: Tally): Bar[] {
  const compared = Object.keys(swing).length > 0;
  const names = [...new Set([...Object.keys(scores), ...Object.keys(swing)])];
  const score = (name: string) => (Object.hasOwn(scores, name) ? scores[name]! : 0);
  const most = Math.max(...names.map(score), 1e-9);
  const bars = names.map((name) => ({
    name, score: score(name), part: Math.max(0, score(name) / most), leads: name === winner,
    swing: compared ? (Object.hasOwn(swing, name) ? swing[name]! : 0) : null,
  }));
  return bars.sort((a, b) => b.score - a.score);
}

export function isBallot({ kind }: Tally): boolean {
  return kind === "ballot";
}

/** Who won by which rule; where the rules differ, that they do. */
export function winnerWords(tally: Tally): string[] {
  const { winner, condorcet, pairs, ballots, twice = 0, flipped = 0 } = tally as Tally & Repeated;
  if (!isBallot(tally)) {
    const moved = Object.values(tally.swing).some((each) => each !== 0);
    const swung = Object.keys(tally.swing).length === 0 ? "" : moved ? "" : "The debate moved no vote.";
    return [winner ? `Most votes: ${winner}.` : ballots ? "The vote is tied." : "Nobody voted.", swung].filter(Boolean);
  }
  const told = [winner ? `Most points: ${winner}, of ${counted(ballots, "ballot")}.` : "By points nobody leads."];
  if (condorcet && condorcet === winner) told.push(`${condorcet} also beats every other in pairs.`);
  else if (condorcet) told.push(`In pairs ${condorcet} beats every other: the rules differ.`);
  else if (pairs.length > 0) told.push("In pairs nobody beats every other.");
  if (twice > 0) told.push(`Of ${counted(twice, "pair")} shown in both orders, ${flipped || "none"} came out the other way round.`);
  return told;
}

/** Of pairs that one judge was shown in both orders, how many came out the other way round. */
interface Repeated {
  twice?: number;
  flipped?: number;
}

/** "+2", "−1", "0". */
export function signed(number: number): string {
  return number > 0 ? `+${number}` : number < 0 ? `−${-number}` : "0";
}

/** Points as they are shown: whole, or with one digit. */
export function points(score: number): string {
  return Number.isInteger(score) ? String(score) : score.toFixed(1);
}
