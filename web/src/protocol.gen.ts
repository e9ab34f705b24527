// Generated from protocol/schema.json by `npm run types`. Do not edit.

export type Command = Say | Pause | Resume | Close | Cancel | Retry;
export type Event =
  | TermBegan
  | TableOpened
  | TablePaused
  | TableResumed
  | TableRested
  | TableClosed
  | RoundStarted
  | TurnQueued
  | TurnStarted
  | TurnRetried
  | TurnDelta
  | TurnThinking
  | TurnTool
  | TurnCompleted
  | TurnFailed
  | TurnCancelled
  | MessagePosted
  | CommandRefused
  | CommandSubmitted;

/**
 * End one turn, running or queued, by its id; the table goes on.
 */
export interface Cancel {
  turn: string;
  type: "cancel";
}
/**
 * End the table for good; what is being said is cut and kept.
 */
export interface Close {
  type: "close";
}
/**
 * Post a message to the table, or put it to one panelist, who then has the floor next.
 */
export interface Say {
  author?: string;
  text: string;
  to?: string;
  type: "say";
}
/**
 * Begin no new turn.
 */
export interface Pause {
  type: "pause";
}
/**
 * Go on after a pause.
 */
export interface Resume {
  type: "resume";
}
/**
 * Give the floor again to whoever failed or was cancelled in a turn, for a new one; a table at rest is woken.
 */
export interface Retry {
  turn: string;
  type: "retry";
}
/**
 * A command was understood and not done; `code` and `detail` say why.
 */
export interface CommandRefused {
  at: number;
  code: string;
  command?: string;
  detail: string;
  inbox?: number;
  type: "command.refused";
}
/**
 * What a table's inbox stream holds: a command with its idempotency key.
 */
export interface CommandSubmitted {
  at: number;
  command: Say | Pause | Resume | Close | Cancel | Retry;
  key: string;
  type: "command.submitted";
}
/**
 * What a turn cost in US dollars, by list price. No Cost at all means the price is unknown, not nothing.
 */
export interface Cost {
  dollars: number;
}
/**
 * A new owner took the stream; every entry from here on carries its term.
 */
export interface TermBegan {
  at: number;
  lost: number;
  owner: string;
  type: "term.began";
}
/**
 * The table exists: who sits at it, about what, and until when. `record` false: it is on no disk.
 */
export interface TableOpened {
  at: number;
  limits: Limits;
  panel: Panelist[];
  policy: string;
  record: boolean;
  seed: number;
  table: string;
  then: "close" | "rest";
  topic: string;
  type: "table.opened";
}
/**
 * When a table ends at the latest; absent means unlimited. Seconds are of open (not paused) wall time.
 */
export interface Limits {
  max_dollars: number | null;
  max_rounds: number | null;
  max_seconds: number | null;
  max_tokens: number | null;
  max_turns: number | null;
}
/**
 * A seat: a unique name, a model as `provider:model`, and what the model is told to be. `options` goes to the provider (temperature, max_tokens, a script); it never holds a key.
 */
export interface Panelist {
  model: string;
  name: string;
  options: {
    [k: string]: unknown;
  };
  persona: string;
}
/**
 * No new turn begins until resumed; the turn under way is finished.
 */
export interface TablePaused {
  at: number;
  command?: string;
  inbox?: number;
  reason: string;
  type: "table.paused";
}
/**
 * Turns begin again. From rest, the limits on turns, rounds, tokens, seconds and dollars count anew.
 */
export interface TableResumed {
  at: number;
  command?: string;
  inbox?: number;
  reason: string;
  type: "table.resumed";
}
/**
 * The policy has nothing more to say; a message wakes the table.
 */
export interface TableRested {
  at: number;
  reason: string;
  type: "table.rested";
}
/**
 * Final. `reason`: `command`, a limit's name, `no_panelists`.
 */
export interface TableClosed {
  at: number;
  command?: string;
  detail: string;
  inbox?: number;
  reason: string;
  type: "table.closed";
}
/**
 * Round `round` begins; the first is 1.
 */
export interface RoundStarted {
  at: number;
  round: number;
  type: "round.started";
}
/**
 * Someone will have the floor. `reason` is said on the stage when it is not simply her place in the round; `command` and `inbox` are those of who asked for it.
 */
export interface TurnQueued {
  at: number;
  command?: string;
  inbox?: number;
  kind: string;
  panelist: string;
  reason: string;
  round: number;
  turn: string;
  type: "turn.queued";
}
/**
 * Someone has the floor: the model was asked. `digest` is of the request as projected from the log. `first_within`, `idle_within` and `total_within` are the deadlines in seconds; 0 is none.
 */
export interface TurnStarted {
  at: number;
  attempt: number;
  digest: string;
  first_within: number;
  idle_within: number;
  model: string;
  panelist: string;
  total_within: number;
  turn: string;
  type: "turn.started";
}
/**
 * Asking failed before a first word; attempt `attempt` follows after `wait` seconds.
 */
export interface TurnRetried {
  at: number;
  attempt: number;
  error: Failure;
  panelist: string;
  turn: string;
  type: "turn.retried";
  wait: number;
}
/**
 * Why a turn failed: a stable code, one sentence for a person, and whether trying again can help.
 */
export interface Failure {
  code: string;
  detail: string;
  retryable: boolean;
}
/**
 * Words, in order. `chunks` holds `[length in code points, milliseconds after the first]` of each part when several deltas were written as one, so a replay can be as uneven as the original was.
 */
export interface TurnDelta {
  at: number;
  attempt: number;
  chunks?: [number, number][];
  panelist: string;
  text: string;
  turn: string;
  type: "turn.delta";
}
/**
 * The model's reasoning, as far as its provider shows it. Never sent to another panelist.
 */
export interface TurnThinking {
  at: number;
  attempt: number;
  chunks?: [number, number][];
  panelist: string;
  text: string;
  turn: string;
  type: "turn.thinking";
}
/**
 * Part of a tool call as the model writes it: `arguments` is a fragment of JSON text.
 */
export interface TurnTool {
  arguments: string;
  at: number;
  attempt: number;
  call: string;
  name: string;
  panelist: string;
  turn: string;
  type: "turn.tool";
}
/**
 * The turn's end, with everything it said. `cost` absent means the price is unknown.
 */
export interface TurnCompleted {
  at: number;
  attempt: number;
  cost: Cost | null;
  panelist: string;
  stop_reason: "content_filter" | "end" | "length" | "refusal" | "stop_sequence" | "tool_calls";
  text: string;
  turn: string;
  type: "turn.completed";
  usage: Usage;
}
/**
 * Tokens of one turn. `input` includes `cached` (read from the vendor's cache) and `cache_write`; `output` includes `thinking`. `estimated` is true when the provider told nothing and we counted words ourselves.
 */
export interface Usage {
  cache_write: number;
  cached: number;
  estimated: boolean;
  input: number;
  output: number;
  thinking: number;
}
/**
 * The turn's end by an error. `text` had been said; it stays on record and out of later prompts.
 */
export interface TurnFailed {
  at: number;
  attempt: number;
  cost: Cost | null;
  error: Failure;
  panelist: string;
  text: string;
  turn: string;
  type: "turn.failed";
  usage: Usage;
}
/**
 * The turn's end by a person's or the table's decision. A queued turn may be cancelled too.
 */
export interface TurnCancelled {
  at: number;
  attempt: number;
  command?: string;
  cost: Cost | null;
  inbox?: number;
  panelist: string;
  reason: string;
  text: string;
  turn: string;
  type: "turn.cancelled";
  usage: Usage;
}
/**
 * A person said something, to all or (`to`) to one panelist.
 */
export interface MessagePosted {
  at: number;
  author: string;
  command?: string;
  inbox?: number;
  message: string;
  text: string;
  to: string;
  type: "message.posted";
}
/**
 * What a person said.
 */
export interface Posted {
  at: number;
  author: string;
  message: string;
  seq: number;
  text: string;
  to: string;
}
/**
 * What the table has used, in all. `unpriced` counts turns whose price is unknown: with any, dollars are a lower bound.
 */
export interface Spent {
  dollars: number;
  seconds: number;
  tokens_in: number;
  tokens_out: number;
  turns: number;
  unpriced: number;
}
/**
 * A table at a cursor. `spent` is for the whole table, `base` what it was when the limits last began to count (at opening, or when it woke from rest), `base_round` the round likewise.
 */
export interface Transcript {
  absent: {
    [k: string]: Failure;
  };
  at: number;
  base: Spent;
  base_round: number;
  commands: {
    [k: string]: string;
  };
  cursor: string;
  ended_detail: string;
  ended_reason: string;
  failures: {
    [k: string]: number;
  };
  inbox: number;
  limits: Limits;
  messages: Posted[];
  opened_at: number;
  panel: Panelist[];
  policy: string;
  record: boolean;
  round: number;
  running_since: number;
  seed: number;
  spent: Spent;
  status: "closed" | "new" | "open" | "paused" | "resting";
  table: string;
  then: "close" | "rest";
  topic: string;
  turns: Turn[];
}
/**
 * One panelist's turn. `seq` is the entry that queued it, so turns and messages order together. Times are Unix seconds, 0 while not reached; `first_at` is the first word or thought.
 */
export interface Turn {
  attempt: number;
  cost: Cost | null;
  digest: string;
  ended_at: number;
  error: Failure | null;
  first_at: number;
  first_within: number;
  idle_within: number;
  kind: string;
  model: string;
  panelist: string;
  queued_at: number;
  reason: string;
  round: number;
  seq: number;
  started_at: number;
  started_seq: number;
  status: "cancelled" | "completed" | "failed" | "queued" | "started";
  stop_reason: ("content_filter" | "end" | "length" | "refusal" | "stop_sequence" | "tool_calls") | null;
  text: string;
  thinking: string;
  tools: string;
  total_within: number;
  turn: string;
  usage: Usage | null;
}
