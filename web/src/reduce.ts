/**
 * The Transcript is the fold of a table's entries, exactly as in `protocol/transcript.py`; both run `tests/golden/`.
 *
 * `apply` changes the Transcript and its four lists in place, and replaces everything below them: a Turn object never
 * changes, so a view renders only turns it has not seen, and `copy` costs no text.
 */
import { seqOf, ZERO } from "./cursor";
import type { Finding } from "./findings";
import type { Cost, Event, Failure, Limits, Panelist, Spent, Transcript, Turn, Until, Usage, Use } from "./protocol.gen";

/** One event at its place, as the server sends it. */
export type Entry<E extends Event = Event> = E & { id: string; at: number };
type Type = Event["type"];
type Of<T extends Type> = Extract<Event, { type: T }>;

/** An entry does not follow from the transcript's state. Nothing was changed. */
export class IllegalMove extends Error {}

// After so many retryable failures in a row a panelist has left the table; one that no retry can help leaves at once.
export const FAILURES_BEFORE_ABSENT = 3;
// Failures that are told of what was asked and not of who was asked: in paperwork they let nobody leave.
const OF_THE_REQUEST = new Set(["empty", "bad_request", "context_overflow", "content_filter"]);
// Kinds of turns whose words are read by a method and are no part of the conversation.
const PAPERWORK = new Set(["moderation", "bid", "vote", "ballot", "stances", "summary", "judgement"]);
// The server stopped during the turn: its own doing, not the panelist's.
export const INTERRUPTED = "interrupted";

const NO_LIMITS: Limits = { max_turns: null, max_rounds: null, max_tokens: null, max_seconds: null, max_dollars: null };
const NO_ENDS: Until = { convergence: null, consensus: false, loop: false, passes: false };
const NOTHING_SPENT: Spent = { turns: 0, tokens_in: 0, tokens_out: 0, dollars: 0, unpriced: 0, seconds: 0 };

export function newTranscript(): Transcript {
  return {
    cursor: ZERO, at: 0, status: "new", table: "", topic: "", panel: [], policy: "", limits: NO_LIMITS, then: "close",
    seed: 0, record: true, opened_at: 0, running_since: 0, ended_reason: "", ended_detail: "", round: 0, turns: [], messages: [],
    materials: [], findings: [], title: "", verdict: false, until: NO_ENDS, origin: null, concluding: "", concluding_detail: "",
    concluding_seq: 0, testing: 0, muted: [], removed: [], hands: [], hand_at: 0, hand_within: 0, absent: {}, failures: {},
    spent: NOTHING_SPENT, base: NOTHING_SPENT, base_round: 0, base_seq: 0,
    commands: {}, inbox: 0,
  };
}

/** A Transcript that later entries do not change. */
export function copy(transcript: Transcript): Transcript {
  const { turns, messages, materials, findings } = transcript;
  const lists = { turns: [...turns], messages: [...messages], materials: [...materials], findings: [...findings] };
  return { ...transcript, ...lists };
}

/** The Transcript after these entries, starting from nothing or from a transcript (which is changed). */
export function fold(entries: Iterable<Entry>, transcript = newTranscript()): Transcript {
  for (const entry of entries) apply(transcript, entry);
  return transcript;
}

type TableStatus = Transcript["status"];
type TurnStatus = Turn["status"];
const LIVE: TableStatus[] = ["open", "paused"];
const OPENED: TableStatus[] = ["open", "paused", "resting"];

// What is found out about a table while it is held: kept as it is told, and read by whoever shows it.
const FINDINGS: Finding["type"][] = [
  "turn.unread", "speaker.chosen", "bid.made", "vote.cast", "ballot.cast", "tally.counted", "judgement.given",
  "stress.tested", "claim.made", "stance.taken", "entropy", "converge", "summary.made", "verdict.given", "budget.warned", "budget.degraded", "round.forecast",
];

/** What may happen, and in which state: for the table's status and, for turn events, the turn's. */
const MOVES: { [T in Type]?: [TableStatus[], TurnStatus[]] } = {
  "term.began": [["new", ...OPENED], []],
  "table.opened": [["new"], []],
  "table.paused": [["open"], []],
  "table.resumed": [["paused", "resting"], []],
  "table.concluding": [LIVE, []],
  "stress.requested": [["resting"], []],
  "table.titled": [OPENED, []],
  "limits.changed": [OPENED, []],
  "panel.changed": [OPENED, []],
  "hand.raised": [LIVE, []],
  "hand.lowered": [OPENED, []],
  "table.rested": [["open"], []],
  "table.closed": [OPENED, []],
  "round.started": [["open"], []],
  "turn.queued": [["open"], []],
  "turn.started": [["open"], ["queued"]],
  "turn.retried": [LIVE, ["started"]],
  "turn.yielding": [LIVE, ["started"]],
  "turn.delta": [LIVE, ["started"]],
  "turn.thinking": [LIVE, ["started"]],
  "turn.tool": [LIVE, ["started"]],
  "turn.tool_result": [LIVE, ["started"]],
  "turn.completed": [LIVE, ["started"]],
  "turn.failed": [LIVE, ["started"]],
  "turn.cancelled": [LIVE, ["queued", "started"]],
  "message.posted": [OPENED, []],
  "material.added": [OPENED, []],
  "command.refused": [OPENED, []],
  ...Object.fromEntries(FINDINGS.map((type) => [type, [LIVE, []]])),
};

/** Apply one entry. Throws `IllegalMove`, and changes nothing, when it does not follow. */
export function apply(transcript: Transcript, entry: Entry): void {
  if (seqOf(entry.id) !== seqOf(transcript.cursor) + 1) {
    throw new IllegalMove(`Entry ${entry.id} cannot follow ${transcript.cursor}.`);
  }
  check(transcript, entry);
  transcript.cursor = entry.id;
  transcript.at = Math.max(transcript.at, entry.at);
  if (Object.hasOwn(MOVES, entry.type)) {
    acknowledge(transcript, entry as Entry<Of<"message.posted">>);
    STEPS[entry.type]?.(transcript, entry as never);
  }
}

function check(transcript: Transcript, entry: Entry): void {
  const move = Object.hasOwn(MOVES, entry.type) ? MOVES[entry.type] : undefined;
  if (move === undefined) return; // an event of a later version changes nothing here
  const [tables, turns] = move;
  if (!tables.includes(transcript.status)) {
    throw new IllegalMove(`${entry.type} cannot happen at a table that is ${transcript.status}.`);
  }
  if (entry.type === "turn.queued") {
    checkQueued(transcript, entry);
  } else if (turns.length > 0) {
    checkTurn(transcript, entry as Entry<Of<"turn.started">>, turns);
  } else if (entry.type === "panel.changed") {
    checkChange(transcript, entry);
  } else if (entry.type === "table.closed" || entry.type === "table.rested") {
    if (transcript.turns.some(isOpen)) throw new IllegalMove(`${entry.type} cannot happen while turns are open.`);
  }
}

function checkChange(transcript: Transcript, { change, panelist, seat }: Entry<Of<"panel.changed">>): void {
  const sits = isSeated(transcript, panelist);
  if (sits === (change === "added")) throw new IllegalMove(`${panelist} ${sits ? "sits" : "does not sit"} at this table.`);
  if (change === "swapped" && seat && seat.name !== panelist && isSeated(transcript, seat.name)) {
    throw new IllegalMove(`${seat.name} sits at this table.`);
  }
  if ((seat !== null) !== (change === "added" || change === "swapped")) {
    throw new IllegalMove(`panel.changed by ${change} has ${seat ? "a" : "no"} seat.`);
  }
}

function isSeated({ panel, removed }: Transcript, name: string): boolean {
  return panel.some((panelist) => panelist.name === name) && !removed.includes(name);
}

function checkQueued(transcript: Transcript, entry: Entry<Of<"turn.queued">>): void {
  const next = `t${transcript.turns.length + 1}`;
  if (entry.turn !== next) throw new IllegalMove(`The next turn is ${next}, not ${entry.turn}.`);
  if (!isSeated(transcript, entry.panelist)) {
    throw new IllegalMove(`Nobody named ${entry.panelist} sits at this table.`);
  }
}

function checkTurn(transcript: Transcript, entry: Entry<Of<"turn.started">>, statuses: TurnStatus[]): void {
  const turn = transcript.turns[place(entry.turn)];
  if (turn === undefined) throw new IllegalMove(`There is no turn ${entry.turn}.`);
  if (!statuses.includes(turn.status)) {
    throw new IllegalMove(`${entry.type} cannot happen to ${turn.turn}, which is ${turn.status}.`);
  }
  if (turn.panelist !== entry.panelist) {
    throw new IllegalMove(`${turn.turn} is ${turn.panelist}'s, not ${entry.panelist}'s.`);
  }
}

/** Where turn `t1`, `t2`, ... stands in the list; -1 for what is no turn's id. */
function place(turn: string): number {
  return /^t\d{1,15}$/.test(turn) ? Number(turn.slice(1)) - 1 : -1;
}

function isOpen(turn: Turn): boolean {
  return turn.status === "queued" || turn.status === "started";
}

/** Note which command an entry was the effect of, so that it is acted upon once. */
function acknowledge(transcript: Transcript, { id, command, inbox }: { id: string; command?: string; inbox?: number }) {
  if (!command) return;
  if (!Object.hasOwn(transcript.commands, command)) transcript.commands = { ...transcript.commands, [command]: id };
  transcript.inbox = Math.max(transcript.inbox, inbox ?? 0);
}

// -- One step per event. All checks were made; nothing below throws. --------------------------------------------

type Step<T extends Type> = (transcript: Transcript, entry: Entry<Of<T>>) => void;

const STEPS: { [T in Type]?: Step<T> } = {
  "table.opened": (t, { id, table, topic, policy, panel, limits, then, seed, record = true, at, ...rest }) => {
    const { title = "", verdict = false, until = NO_ENDS, origin = null } = rest;
    Object.assign(t, { status: "open", table, topic, policy, panel, limits, then, seed, record, opened_at: at });
    Object.assign(t, { title, verdict, until, origin, base_seq: seqOf(id), running_since: at });
  },
  "table.paused": (t, { at }) => stopClock(t, "paused", at),
  "table.resumed": (t, { id, at, reason }) => {
    if (t.status === "resting") {
      Object.assign(t, { base: t.spent, base_round: t.round });
      if (reason !== "verdict") t.base_seq = seqOf(id); // which is about what was said before the rest
      t.ended_reason = t.concluding = t.concluding_detail = "";
    }
    t.status = "open";
    t.running_since = at;
  },
  "table.concluding": (t, { id, reason, detail }) => {
    t.concluding = reason;
    t.concluding_detail = detail;
    t.concluding_seq = seqOf(id);
  },
  "stress.requested": (t, { id, at }) => {
    Object.assign(t, { base: t.spent, base_round: t.round, status: "open", running_since: at, testing: seqOf(id) });
  },
  "table.titled": (t, { title }) => {
    t.title = title;
  },
  "limits.changed": (t, { limits }) => {
    t.limits = limits;
  },
  "panel.changed": (t, { change, panelist, seat }) => {
    t.muted = change === "muted" ? [...leaving(t.muted, panelist), panelist] : leaving(t.muted, panelist);
    if (change === "removed" || (seat && seat.name !== panelist)) t.removed = [...t.removed, panelist];
    if (seat) takeSeat(t, seat);
  },
  "hand.raised": (t, { author, at, within }) => {
    if (t.hands.length === 0) t.hand_at = at;
    t.hands = [...leaving(t.hands, author), author];
    t.hand_within = within;
  },
  "hand.lowered": (t, { author, at }) => {
    if (t.hands[0] === author) t.hand_at = at; // the next one's time begins
    t.hands = leaving(t.hands, author);
  },
  "table.rested": (t, { reason, at }) => {
    t.ended_reason = reason;
    t.testing = 0;
    stopClock(t, "resting", at);
  },
  "table.closed": (t, { reason, detail, at }) => {
    t.ended_reason = reason;
    t.ended_detail = detail;
    t.testing = 0;
    stopClock(t, "closed", at);
  },
  "round.started": (t, { round }) => {
    t.round = round;
  },
  "turn.queued": (t, { turn, panelist, id, kind, round, reason, question = "", at, command }) => {
    t.turns.push({ ...NEW_TURN, turn, panelist, seq: seqOf(id), kind, round, reason, question, queued_at: at });
    if (command) comeBack(t, panelist); // whom a person gives the floor again is counted on again
  },
  "turn.started": (t, { turn, id, at, attempt, model, digest, ...given }) => {
    const { first_within, idle_within, total_within, room = 0, length = 0, pictures = 0, most = 0 } = given;
    const deadlines = { first_within, idle_within, total_within };
    change(t, turn, () => ({
      status: "started", started_at: at, started_seq: seqOf(id), attempt, model, digest, room, length, pictures, most, ...deadlines,
    }));
    t.spent = { ...t.spent, turns: t.spent.turns + 1 };
  },
  "turn.retried": (t, { turn, attempt, model }) => change(t, turn, (was) => ({ attempt, model: model || was.model })),
  "turn.yielding": (t, { turn }) => change(t, turn, () => ({ yielding: true })),
  "turn.delta": (t, { turn, text, at }) =>
    change(t, turn, (was) => ({ text: was.text + text, first_at: was.first_at || at })),
  "turn.thinking": (t, { turn, text, at }) =>
    change(t, turn, (was) => ({ thinking: was.thinking + text, first_at: was.first_at || at })),
  "turn.tool": (t, { turn, call, name, arguments: part, at }) =>
    change(t, turn, (was) => ({
      tools: was.tools + part,
      first_at: was.first_at || at,
      uses: using(was.uses, call, name, (use) => ({ arguments: start(use.arguments + part) })),
    })),
  "turn.tool_result": (t, { turn, call, name, text, error, truncated, seconds }) =>
    change(t, turn, (was) => ({
      uses: using(was.uses, call, name, () => ({
        done: true, text: start(text), error, truncated: truncated || [...text].length > MOST_USED, seconds,
      })),
    })),
  "turn.completed": (t, entry) => {
    end(t, entry, { status: "completed", stop_reason: entry.stop_reason });
    t.failures = without(t.failures, entry.panelist);
    t.absent = without(t.absent, entry.panelist);
  },
  "turn.failed": (t, entry) => {
    end(t, entry, { status: "failed", error: entry.error });
    if (entry.error.code === INTERRUPTED) return;
    if (OF_THE_REQUEST.has(entry.error.code) && PAPERWORK.has(t.turns[place(entry.turn)]!.kind)) return;
    const count = (own(t.failures, entry.panelist) ?? 0) + 1;
    t.failures = { ...t.failures, [entry.panelist]: count };
    if (!entry.error.retryable || count >= FAILURES_BEFORE_ABSENT) {
      t.absent = { ...t.absent, [entry.panelist]: entry.error };
    }
  },
  "turn.cancelled": (t, entry) => end(t, entry, { status: "cancelled", reason: entry.reason }),
  "message.posted": (t, { message, author, text, id, at, to }) => {
    t.messages.push({ message, author, text, seq: seqOf(id), at, to });
  },
  "material.added": (t, { id, at, type: _type, command: _command, inbox: _inbox, ...material }) => {
    t.materials.push({ ...material, seq: seqOf(id), at });
  },
  ...Object.fromEntries(FINDINGS.map((type) => [type, keep])),
  entropy: (t, entry) => {
    keep(t, entry);
    const { dollars, unpriced } = t.spent;
    const unknown = entry.cost === null && entry.model !== "";
    t.spent = { ...t.spent, dollars: dollars + (entry.cost?.dollars ?? 0), unpriced: unpriced + (unknown ? 1 : 0) };
  },
};

function keep(t: Transcript, { id, at, ...finding }: Entry<Finding>): void {
  t.findings.push({ seq: seqOf(id), at, finding });
}

/** Whoever sits anew, or speaks through another model, begins without failures. */
function takeSeat(t: Transcript, seat: Panelist): void {
  const known = t.panel.some(({ name }) => name === seat.name);
  t.panel = known ? t.panel.map((panelist) => (panelist.name === seat.name ? seat : panelist)) : [...t.panel, seat];
  t.removed = leaving(t.removed, seat.name);
  comeBack(t, seat.name);
}

/** As whoever a person asks to try again. */
function comeBack(t: Transcript, name: string): void {
  t.absent = without(t.absent, name);
  t.failures = without(t.failures, name);
}

function leaving(names: string[], name: string): string[] {
  return names.filter((each) => each !== name);
}

const NEW_TURN: Turn = {
  turn: "", panelist: "", seq: 0, status: "queued", kind: "speech", round: 0, reason: "", question: "", attempt: 1, model: "",
  digest: "", room: 0, length: 0, pictures: 0, most: 0, queued_at: 0, started_seq: 0, started_at: 0, first_at: 0, ended_at: 0, first_within: 0, idle_within: 0,
  total_within: 0, text: "", thinking: "", tools: "", uses: [], yielding: false, stop_reason: null, usage: null, cost: null, error: null,
};

// Code points of a tool's arguments and of its result that a transcript keeps, and uses of one turn; the log has all.
const MOST_USED = 2_000;
const MOST_USES = 64;
const NEW_USE: Omit<Use, "call" | "name"> = {
  arguments: "", done: false, text: "", error: false, truncated: false, seconds: 0,
};

function start(text: string): string {
  return text.length > MOST_USED ? [...text].slice(0, MOST_USED).join("") : text;
}

function using(uses: Use[], call: string, name: string, how: (was: Use) => Partial<Use>): Use[] {
  const was = uses.find((use) => use.call === call);
  if (!was && uses.length >= MOST_USES) return uses;
  if (!was) return [...uses, { ...NEW_USE, call, name, ...how({ ...NEW_USE, call, name }) }];
  return uses.map((use) => (use === was ? { ...use, ...how(use) } : use));
}

function change(t: Transcript, turn: string, how: (was: Turn) => Partial<Turn>): void {
  const was = t.turns[place(turn)]!;
  t.turns[place(turn)] = { ...was, ...how(was) };
}

function stopClock(t: Transcript, status: TableStatus, at: number): void {
  t.status = status;
  if (t.running_since) {
    t.spent = { ...t.spent, seconds: t.spent.seconds + Math.max(0, at - t.running_since) };
    t.running_since = 0;
  }
}

type Ending = { turn: string; text: string; at: number; attempt: number; usage: Usage; cost: Cost | null };

function end(t: Transcript, { turn, text, at, attempt, usage, cost }: Ending, outcome: Partial<Turn>): void {
  const started = t.turns[place(turn)]!.status === "started";
  change(t, turn, () => ({ ended_at: at, text, ...(started && { attempt, usage, cost }), ...outcome }));
  if (started) t.spent = spend(t.spent, usage, cost);
}

function spend(spent: Spent, usage: Usage, cost: Cost | null): Spent {
  return {
    ...spent,
    tokens_in: spent.tokens_in + usage.input,
    tokens_out: spent.tokens_out + usage.output,
    dollars: spent.dollars + (cost?.dollars ?? 0),
    unpriced: spent.unpriced + (cost === null ? 1 : 0),
  };
}

/** A member of a map whose keys people chose: `constructor` is a name like any other. */
export function own<V>(map: Record<string, V>, key: string): V | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function without<V>(map: Record<string, V>, key: string): Record<string, V> {
  return Object.hasOwn(map, key) ? Object.fromEntries(Object.entries(map).filter(([name]) => name !== key)) : map;
}

/** Why a panelist is no longer at the table; undefined while she is. */
export function absence(transcript: Transcript, name: string): Failure | undefined {
  return own(transcript.absent, name);
}
