/**
 * Paperwork: turns that a method asks for in a form (bids, votes, rankings), stacked as they were asked for together,
 * and what came of them in one line each. None of it is part of the talk.
 */
import { type Finding, type Of, readingsOf } from "./findings";
import { isHeard } from "./kinds";
import type { Transcript, Turn } from "./protocol.gen";
import { counted } from "./figures";
import { judgementWords } from "./stress";
import { listed, sentence } from "./words";

export interface Stack {
  turns: Turn[];
  /** What was read in each. */
  readings: Map<string, Finding[]>;
}

/** Turns of one kind and round that were asked for with nothing said in between. Those of whom none began are left out. */
export function stacksOf(transcript: Transcript): Stack[] {
  const stacks: Turn[][] = [];
  const spoken = transcript.turns.flatMap((turn) => (isHeard(turn) && turn.started_seq ? [turn.started_seq] : [])).sort((a, b) => a - b);
  let next = 0; // of those spoken: the first after the last turn of paperwork
  for (const turn of transcript.turns) {
    if (isHeard(turn)) continue;
    const last = stacks.at(-1)?.at(-1);
    while (last && spoken[next]! < last.seq) next += 1;
    const apart = !last || last.kind !== turn.kind || last.round !== turn.round || spoken[next]! < turn.seq;
    if (apart) stacks.push([turn]);
    else stacks.at(-1)!.push(turn);
  }
  const readings = readingsOf(transcript);
  const begun = stacks.filter((turns) => turns.some(({ started_at }) => started_at > 0));
  return begun.map((turns) => ({ turns, readings: new Map(turns.map(({ turn }) => [turn, readings.get(turn) ?? []])) }));
}

/** Whether nothing was asked, answered or read since. */
export function isSame(one: Stack, other: Stack): boolean {
  if (one.turns.length !== other.turns.length || one.turns.some((turn, place) => turn !== other.turns[place])) return false;
  return one.turns.every(({ turn }) => one.readings.get(turn)?.length === other.readings.get(turn)?.length);
}

export function isUnderWay({ turns }: Stack): boolean {
  return turns.some(({ status }) => status === "queued" || status === "started");
}

/** What one panelist was asked for: the last try, and what was read in it. */
export interface Slip {
  turn: Turn;
  /** It was asked for once more. */
  again: boolean;
  reading: Finding | undefined;
}

/** In the order in which they were asked. A second try stands in the first one's place. */
export function slipsOf({ turns, readings }: Stack): Slip[] {
  const slips: Slip[] = [];
  for (const turn of turns) {
    const reading = readings.get(turn.turn)?.find(({ type }) => type !== "claim.made");
    const before = slips.findIndex((each) => each.turn.panelist === turn.panelist && (each.reading?.type === "turn.unread" || each.turn.status === "failed"));
    if (before < 0) slips.push({ turn, again: false, reading });
    else slips[before] = { turn, again: true, reading };
  }
  return slips;
}

function read<T extends Finding["type"]>({ turns, readings }: Stack, type: T): Of<T>[] {
  const last = new Map<string, Of<T>[]>();
  for (const { turn, panelist } of turns) {
    const of = (readings.get(turn) ?? []).filter((each): each is Of<T> => each.type === type);
    if (of.length > 0) last.set(panelist, of);
  }
  return [...last.values()].flat();
}

interface Form {
  /** What several are asked for at once: "bids". */
  many: string;
  /** While one is asked: "chooses who speaks next". */
  does: string;
  /** What came of it; empty where nothing did. */
  came: (stack: Stack) => string;
}

const FORMS: Record<string, Form> = {
  bid: { many: "bids", does: "bids for the floor", came: bids },
  vote: { many: "votes", does: "votes", came: votes },
  ballot: { many: "rankings", does: "ranks the answers", came: ballots },
  moderation: { many: "choices", does: "chooses who speaks next", came: choice },
  stances: { many: "readings", does: "reads where everyone stands", came: stances },
  summary: { many: "summaries", does: "sums up what was said so far", came: summary },
  judgement: { many: "judgements", does: "judges the answers", came: judgement },
};

function formOf({ turns }: Stack): Form {
  const { kind } = turns[0]!;
  return Object.hasOwn(FORMS, kind) ? FORMS[kind]! : { many: kind, does: kind, came: () => "" };
}

/** In one line: who is asked for what and how many have answered, or what came of it. */
export function stackLine(stack: Stack): string {
  const { many, does, came } = formOf(stack);
  const slips = slipsOf(stack);
  if (isUnderWay(stack)) {
    const [only] = slips;
    if (slips.length === 1) return `${only!.turn.panelist} ${does}${only!.again ? ", asked once more" : ""}.`;
    const { done, of } = progressOf(stack);
    return `${capital(many)}: ${done} of ${of} are in.`;
  }
  return came(stack) || `${capital(many)}: none that could be read.`;
}

/** How many have answered, of how many; for the middle of the table. */
export function progressOf(stack: Stack): { word: string; does: string; done: number; of: number } {
  const slips = slipsOf(stack);
  const done = slips.filter(({ turn }) => turn.ended_at > 0).length;
  return { word: formOf(stack).many, does: formOf(stack).does, done, of: slips.length };
}

/** What one of them answered. */
export function slipWords({ turn, again, reading }: Slip): string {
  if (turn.status === "queued") return "is asked after the others.";
  if (turn.status === "started") return again ? "is asked once more." : "has not answered yet.";
  if (turn.status === "cancelled") return "was not waited for.";
  if (turn.status === "failed") return `did not answer. ${sentence(turn.error?.detail ?? "")}`.trim();
  return reading ? answer(reading, again) : "answered.";
}

function answer(reading: Finding, again: boolean): string {
  switch (reading.type) {
    case "bid.made":
      return `bids ${reading.urgency} of 10${reading.about ? `: ${reading.about}` : "."}`;
    case "vote.cast":
      return `votes ${reading.choice}${reading.reason ? `: ${reading.reason}` : "."}`;
    case "ballot.cast":
      return `ranks ${reading.ranking.join(", ")}.${reading.shown.length > 0 ? ` Shown in the order ${reading.shown.join(", ")}, without names.` : ""}`;
    case "speaker.chosen":
      if (!reading.speaker) return `ends the discussion${reading.reason ? `: ${reading.reason}` : "."}`;
      return `gives ${reading.speaker} the floor${reading.reason ? `: ${reading.reason}` : "."}`;
    case "summary.made":
      return reading.text;
    case "turn.unread":
      return `could not be read${again ? ", twice" : ""}. ${sentence(reading.detail)}`;
    case "stance.taken":
      return "read where each of them stands.";
    default:
      return judgementWords(reading) || "answered.";
  }
}

// -- What came of it ---------------------------------------------------------------------------------------------

function bids(stack: Stack): string {
  const made = read(stack, "bid.made").sort((a, b) => b.urgency - a.urgency);
  const none = [...new Set(stack.turns.map(({ panelist }) => panelist))].filter((name) => !made.some(({ panelist }) => panelist === name));
  if (made.length === 0) return "";
  return `Bids: ${made.map(({ panelist, urgency }) => `${panelist} ${urgency}`).join(", ")}${none.length > 0 ? `; none by ${listed(none)}` : ""}.`;
}

function votes(stack: Stack): string {
  const cast = read(stack, "vote.cast");
  if (cast.length === 0) return "";
  const stage = cast[0]!.stage ? ` ${cast[0]!.stage} the debate` : "";
  const sides = new Map<string, number>();
  for (const { choice } of cast) sides.set(choice, (sides.get(choice) ?? 0) + 1);
  const missing = slipsOf(stack).length - cast.length;
  const told = [...sides].map(([choice, those]) => `${choice} ${those}`);
  return `Votes${stage}: ${told.join(", ")}${missing > 0 ? `; ${missing} not cast` : ""}.`;
}

function ballots(stack: Stack): string {
  const cast = read(stack, "ballot.cast");
  return cast.length === 0 ? "" : `${listed([...new Set(cast.map(({ panelist }) => panelist))])} ranked the answers, without names.`;
}

function choice(stack: Stack): string {
  const [chosen] = read(stack, "speaker.chosen").slice(-1);
  if (!chosen) return `${stack.turns.at(-1)!.panelist} named nobody who can speak.`;
  if (!chosen.speaker) return `${chosen.panelist} ends the discussion${chosen.reason ? `: ${chosen.reason.replace(/[.]$/, "")}` : ""}.`;
  return `${chosen.panelist} gives ${chosen.speaker} the floor${chosen.reason ? `: ${chosen.reason.replace(/[.]$/, "")}` : ""}.`;
}

function stances(stack: Stack): string {
  const taken = read(stack, "stance.taken");
  const claims = [...stack.readings.values()].flat().filter(({ type }) => type === "claim.made").length;
  const moved = new Set(taken.filter((each) => each.moved).map(({ panelist }) => panelist));
  if (taken.length === 0 && claims === 0) return `${stack.turns.at(-1)!.panelist} could not read where everyone stands. There is no map rather than a guess.`;
  const new_ = claims > 0 ? `, ${counted(claims, "new claim")}` : "";
  return `${stack.turns.at(-1)!.panelist} read where everyone stands: ${counted(taken.length, "stance")}${new_}${moved.size > 0 ? `. ${listed([...moved])} moved` : ""}.`;
}

function summary(stack: Stack): string {
  const [made] = read(stack, "summary.made").slice(-1);
  return made ? `${made.panelist} summed up what was said so far, for prompts that have no room for all of it.` : "";
}

function judgement(stack: Stack): string {
  return `${listed([...new Set(stack.turns.map(({ panelist }) => panelist))])} judged the answers.`;
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
