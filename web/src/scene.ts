/** What the stage shows of a Transcript, besides its words: the seats, who has the floor, who is next, who spoke most. */
import type { Note } from "./chronicle";
import { isHeard, sideOf } from "./kinds";
import { isUnderWay, type Stack, stacksOf } from "./paper";
import type { Panelist, Transcript, Turn } from "./protocol.gen";
import { hueOf, marksOf } from "./palette";

export interface Seat extends Panelist {
  place: number;
  hue: number;
  mark: string;
}

/** A seat as it is asked for when nothing more is said of it. */
export function seatOf(name: string, model: string): Panelist {
  return { name, model, persona: "", options: {}, role: "", fallback: [], tools: [] };
}

export function seatsOf(panel: readonly { name: string; model: string }[]): Seat[] {
  const marks = marksOf(panel.map(({ name }) => name));
  return panel.map((panelist, place) => ({
    ...seatOf(panelist.name, panelist.model), ...panelist, place, hue: hueOf(place), mark: marks[place]!,
  }));
}

/** The turns under way whose words are for everybody, oldest first. */
export function floorOf({ turns }: Transcript): Turn[] {
  return turns.filter((turn) => turn.status === "started" && isHeard(turn));
}

/** The paperwork under way: who is asked for bids, votes, a choice. */
export function paperOf(transcript: Transcript): Stack | undefined {
  const last = stacksOf(transcript).at(-1);
  return last && isUnderWay(last) ? last : undefined;
}

/** The turn that follows: whoever was asked by name, else the first in the queue. */
export function nextOf({ turns }: Transcript): Turn | undefined {
  const queued = turns.filter((turn) => turn.status === "queued" && isHeard(turn));
  return queued.find(({ reason }) => reason === "asked") ?? queued[0];
}

/** Whether somebody has a seat at this moment: has come, and was not asked to leave. */
export function sitsAt({ panel, removed }: Transcript, name: string): boolean {
  return panel.some((each) => each.name === name) && !removed.includes(name);
}

/** On which side of a debate each has spoken last. */
export function sidesOf({ turns }: Transcript): Map<string, string> {
  return new Map(turns.flatMap((turn) => (sideOf(turn) ? [[turn.panelist, sideOf(turn)]] : [])));
}

export interface Hand {
  author: string;
  /** Unix seconds; 0 while the recording is not here to tell. */
  since: number;
  /** Seconds for which the table waits; 0 is unknown. */
  within: number;
}

/** Who waits to say something, the first first. */
export function handsOf({ hands }: Transcript, notes: Note[]): Hand[] {
  return hands.map((author) => {
    const raised = notes.findLast(({ hand }) => hand?.author === author);
    return { author, since: raised?.at ?? 0, within: raised?.hand?.within ?? 0 };
  });
}

/** The turn by which a panelist left the table: the last of her failed ones. */
export function leftBy(transcript: Transcript, name: string): Turn | undefined {
  return transcript.turns.findLast((turn) => turn.panelist === name && turn.status === "failed");
}

/** Each panelist's part of all words spoken, from 0 to 1. */
export function sharesOf({ panel, turns }: Transcript): Map<string, number> {
  const words = new Map(panel.map(({ name }) => [name, 0]));
  for (const turn of turns) if (isHeard(turn)) words.set(turn.panelist, (words.get(turn.panelist) ?? 0) + wordsIn(turn));
  const total = Math.max(1, [...words.values()].reduce((sum, each) => sum + each, 0));
  return new Map([...words].map(([name, each]) => [name, each / total]));
}

const counts = new WeakMap<Turn, number>();

// Where words are not set apart by spaces, a character is as good as one.
const WORD = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|[^\s\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]+/gu;

/** Words in what was said; a Turn never changes, so each is counted once. */
export function wordsIn(turn: Turn): number {
  let count = counts.get(turn);
  if (count === undefined) {
    count = turn.text.match(WORD)?.length ?? 0;
    counts.set(turn, count);
  }
  return count;
}

export interface Spending {
  turns: number;
  tokens: number;
  dollars: number;
  unpriced: number;
}

/** What each panelist used, over all ended turns. */
export function spendingOf({ panel, turns }: Transcript): Map<string, Spending> {
  const used = new Map(panel.map(({ name }) => [name, { turns: 0, tokens: 0, dollars: 0, unpriced: 0 }]));
  for (const turn of turns) {
    const line = used.get(turn.panelist);
    if (!line || !turn.usage) continue;
    line.turns += 1;
    line.tokens += turn.usage.input + turn.usage.output;
    line.dollars += turn.cost?.dollars ?? 0;
    line.unpriced += turn.cost ? 0 : 1;
  }
  return used;
}
