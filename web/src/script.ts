/**
 * The play script: turns, what people said, and notes, in the order in which they began; turns that are spoken at
 * once stand side by side. Nothing in it ever moves: what is said beneath a turn that still grows waits for its end.
 */
import type { Note } from "./chronicle";
import type { Found } from "./findings";
import { isHeard } from "./kinds";
import { noteOf } from "./notes";
import { isSame, isUnderWay as isAsked, type Stack, stacksOf } from "./paper";
import type { Posted, Transcript, Turn } from "./protocol.gen";
import { FAILURES_BEFORE_ABSENT, INTERRUPTED } from "./reduce";

/** A turn beside others; `asked` is the message it answers, when that came while they spoke. */
export interface Column {
  turn: Turn;
  asked: Posted | undefined;
}

export type Line =
  | { kind: "turn"; key: string; seq: number; turn: Turn }
  | { kind: "columns"; key: string; seq: number; columns: Column[]; places: number }
  | { kind: "message"; key: string; seq: number; message: Posted }
  | { kind: "paper"; key: string; seq: number; stack: Stack }
  | { kind: "verdict"; key: string; seq: number; found: Found }
  | { kind: "note"; key: string; seq: number; note: Note };

export interface Script {
  lines: Line[];
  /** What was said and done since the speakers of the last line began; it is set below them once they have ended. */
  meanwhile: Line[];
}

/** Turns spoken at once, as they were queued. `places` of them were known when the second began, and share the width. */
interface Volley {
  turns: Turn[];
  places: number;
}

// A table has at most so many seats. A policy under which somebody always speaks begins a new row after as many.
const WIDEST = 12;

// A Line of the same Turn is the same object, so that a view touches only what changed.
const lines = new WeakMap<object, Line>();

function line<T extends object>(of: T, make: (of: T) => Line): Line {
  let made = lines.get(of);
  if (!made) lines.set(of, (made = make(of)));
  return made;
}

/**
 * Everything up to the Transcript's moment. A turn stands where it got the floor, and its own notes stand with it.
 * One that never got it is not in the script, unless its place beside others was kept for it.
 */
export function scriptOf(transcript: Transcript, notes: Note[]): Script {
  const { messages, findings } = transcript;
  const volleys = volleysOf(transcript.turns.filter(isHeard));
  const posted = new Set(messages);
  const said = volleys.map((volley) => ({ line: spokenLine(volley, posted), grows: volley.turns.some(isUnderWay) }));
  const asked = stacksOf(transcript).map((stack) => ({ line: paperLine(stack), grows: isAsked(stack) }));
  const told = [
    ...[...posted].map((message) =>
      line(message, () => ({ kind: "message", key: `m${message.seq}`, seq: message.seq, message })),
    ),
    ...notes.filter(({ turn }) => !turn).map((note) => line(note, () => ({ kind: "note", key: `n${note.seq}`, seq: note.seq, note }))),
    ...findings.flatMap((found) => foundLine(found) ?? []),
  ];
  const growing = Math.min(...[...said, ...asked].filter(({ grows }) => grows).map(({ line }) => line.seq));
  const script = [...said, ...asked].map(({ line }) => line).concat(told.filter(({ seq }) => seq < growing));
  return { lines: script.sort(inOrder), meanwhile: told.filter(({ seq }) => seq > growing).sort(inOrder) };
}

const inOrder = (a: Line, b: Line) => a.seq - b.seq;

/** How many speak at once when a table begins: 1 where they speak in turn. It never changes after the first word. */
export function opensWith({ turns }: Transcript): number {
  return volleysOf(turns.filter(isHeard).slice(0, WIDEST))[0]?.places ?? 1;
}

const papers = new WeakMap<Turn, Line & { kind: "paper" }>(); // by its first turn; likewise the same object while nothing changed

function paperLine(stack: Stack): Line {
  const [first] = stack.turns;
  const known = papers.get(first!);
  if (known && isSame(known.stack, stack)) return known;
  const begun = stack.turns.filter(hasBegun).map(({ started_seq }) => started_seq);
  const made = { kind: "paper", key: `p${first!.turn}`, seq: Math.min(...begun), stack } as const;
  papers.set(first!, made);
  return made;
}

/** What was found out and belongs to no turn that is shown. A verdict stands by itself where nobody's words carry it. */
function foundLine(found: Found): Line | undefined {
  const { seq, at, finding } = found;
  if (finding.type === "verdict.given" && !finding.turn) return line(found, () => ({ kind: "verdict", key: `v${seq}`, seq, found }));
  const text = noteOf(finding);
  return text ? line(found, () => ({ kind: "note", key: `n${seq}`, seq, note: { seq, at, text } })) : undefined;
}

/** The line of a volley. A message that one of its columns answers stands in that column, and leaves `posted`. */
function spokenLine({ turns, places }: Volley, posted: Set<Posted>): Line {
  const [first] = turns;
  if (turns.length === 1) return line(first!, (turn) => ({ kind: "turn", key: turn.turn, seq: turn.started_seq, turn }));
  const seq = Math.min(...turns.filter(hasBegun).map(({ started_seq }) => started_seq));
  const columns = turns.map((turn) => {
    const asked = turn.seq > seq ? [...posted].find((each) => answers(turn, each, seq)) : undefined;
    if (asked) posted.delete(asked);
    return { turn, asked };
  });
  return { kind: "columns", key: `${first!.turn}-`, seq, columns, places };
}

function answers({ panelist, seq }: Turn, message: Posted, since: number): boolean {
  return message.to === panelist && since < message.seq && message.seq < seq;
}

/** Turns that got the floor, those together that were spoken at once. */
function volleysOf(turns: Turn[]): Volley[] {
  const begun = turns.filter(hasBegun).sort((a, b) => a.started_seq - b.started_seq);
  const groups: Turn[][] = [];
  for (const turn of begun) {
    const group = groups.at(-1);
    if (!group || group.length === WIDEST || !joins(turn, group)) {
      groups.push([turn]);
      continue;
    }
    group.push(turn);
    if (group.length > 2) continue;
    // Whoever failed before the next was asked, in the same breath, has a column like the others.
    while (failedAtOnce(groups.at(-2), group)) group.unshift(...groups.splice(-2, 1)[0]!);
  }
  return groups.map((group) => (group.length === 1 ? { turns: group, places: 1 } : volley(group, turns)));
}

/** A group with the places that are kept for turns queued with it: a place is given when its turn is queued. */
function volley(group: Turn[], turns: Turn[]): Volley {
  const kept = turns.filter((turn) => !hasBegun(turn) && isKept(turn, group)).slice(0, WIDEST - group.length);
  const all = [...group, ...kept].sort((a, b) => a.seq - b.seq);
  return { turns: all, places: all.filter(({ seq }) => seq < group[1]!.started_seq).length };
}

function joins(turn: Turn, group: Turn[]): boolean {
  const beside = group.some(({ ended_at }) => ended_at === 0 || ended_at > turn.started_at);
  return beside || (group.length > 1 && isKept(turn, group));
}

/** Queued for the same as a group before its second turn began. */
function isKept({ round, kind, seq }: Turn, [first, second]: Turn[]): boolean {
  return round === first!.round && kind === first!.kind && seq < second!.started_seq;
}

function failedAtOnce(before: Turn[] | undefined, [next]: Turn[]): boolean {
  const [only] = before ?? [];
  if (!only || before!.length > 1 || only.status !== "failed" || only.first_at > 0) return false;
  return only.round === next!.round && next!.started_seq - only.started_seq <= 2; // its start, its failure
}

function hasBegun({ started_at }: Turn): boolean {
  return started_at > 0;
}

function isUnderWay({ status }: Turn): boolean {
  return status === "started" || status === "queued";
}

/** What follows a failed turn for the one whose turn it was. `left`: how many others stayed when she left by it. */
export type After = { left: number } | "next in turn" | "next round" | "no more";

/** What follows a turn that failed, alone or `beside` others. */
export function afterOf(transcript: Transcript): (turn: Turn, beside: boolean) => After {
  const left = departures(transcript);
  const over = transcript.status === "closed";
  const last = new Map(transcript.turns.filter(hasBegun).map(({ panelist, turn }) => [panelist, turn]));
  return ({ turn, panelist }, beside) => {
    const others = left.get(turn);
    if (others !== undefined) return { left: others };
    if (over && last.get(panelist) === turn) return "no more";
    return beside ? "next round" : "next in turn";
  };
}

/** Turn by which its panelist left the table, as the fold counts failures -> how many others were still there. */
export function departures({ panel, removed, turns }: Transcript): Map<string, number> {
  const left = new Map<string, number>();
  const absent = new Set<string>();
  const failures = new Map<string, number>();
  const ended = turns.filter(({ ended_at }) => ended_at > 0).sort((a, b) => a.ended_at - b.ended_at);
  for (const { turn, panelist, reason, status, error } of ended) {
    // Only a person's wish that it be tried again gives a turn to who has left.
    const back = reason === "asked" && absent.has(panelist);
    if (back || status === "completed") [failures, absent].forEach((each) => each.delete(panelist));
    if (status !== "failed" || !error || error.code === INTERRUPTED) continue;
    const count = (failures.get(panelist) ?? 0) + 1;
    failures.set(panelist, count);
    if (error.retryable && count !== FAILURES_BEFORE_ABSENT) continue;
    absent.add(panelist);
    left.set(turn, panel.filter(({ name }) => !absent.has(name) && !removed.includes(name)).length);
  }
  return left;
}
