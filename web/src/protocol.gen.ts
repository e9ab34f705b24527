// Generated from protocol/schema.json by `npm run types`. Do not edit.

export type Command =
  | Say
  | Pause
  | Resume
  | Close
  | Cancel
  | Retry
  | BargeIn
  | RaiseHand
  | LowerHand
  | Skip
  | Mute
  | Unmute
  | Add
  | Remove
  | Swap
  | Extend
  | Conclude
  | Title;
export type Event =
  | TermBegan
  | TableOpened
  | TablePaused
  | TableResumed
  | TableConcluding
  | TableTitled
  | TableRested
  | TableClosed
  | PanelChanged
  | LimitsChanged
  | HandRaised
  | HandLowered
  | RoundStarted
  | TurnQueued
  | TurnStarted
  | TurnRetried
  | TurnYielding
  | TurnDelta
  | TurnThinking
  | TurnTool
  | TurnToolResult
  | TurnCompleted
  | TurnFailed
  | TurnCancelled
  | MessagePosted
  | MaterialAdded
  | CommandRefused
  | CommandSubmitted
  | TurnUnread
  | SpeakerChosen
  | BidMade
  | VoteCast
  | BallotCast
  | TallyCounted
  | ClaimMade
  | StanceTaken
  | Entropy
  | Converge
  | SummaryMade
  | VerdictGiven
  | BudgetWarned
  | BudgetDegraded
  | RoundForecast;

/**
 * Seat another panelist.
 */
export interface Add {
  seat: Panelist;
  type: "add";
}
/**
 * A seat: a unique name, a model as `provider:model`, and what the model is told to be. `options` goes to the provider (temperature, max_tokens, a script); it never holds a key. `role` is `moderator` or `chair` for a seat that does only that, and empty for who takes part. `fallback` are models that speak for her when hers cannot, in order; `tools` are those she may use, as `server.tool` or `server.*`.
 */
export interface Panelist {
  fallback: string[];
  model: string;
  name: string;
  options: {
    [k: string]: unknown;
  };
  persona: string;
  role: "" | "chair" | "moderator";
  tools: string[];
}
/**
 * Panelists by how good she finds their answers, best first. `shown` is the order in which she was shown them.
 */
export interface BallotCast {
  at?: number;
  panelist: string;
  ranking: string[];
  round: number;
  shown: string[];
  turn: string;
  type: "ballot.cast";
}
/**
 * Take the floor: who speaks yields at the next sentence's end, or after 2 s or 200 tokens. `text` is said at once.
 */
export interface BargeIn {
  author?: string;
  text?: string;
  to?: string;
  type: "barge_in";
}
/**
 * How much she wants the floor, 0 (not at all) to 10, and what for.
 */
export interface BidMade {
  about: string;
  at?: number;
  panelist: string;
  round: number;
  turn: string;
  type: "bid.made";
  urgency: number;
}
/**
 * What the table does without from here on so that it can end well: `fewer_rounds`, `cheaper_chair`, `no_ballots`, `no_stances`, `no_synthesis`.
 */
export interface BudgetDegraded {
  at?: number;
  detail: string;
  measure: string;
  round: number;
  type: "budget.degraded";
}
/**
 * Four fifths of a limit are used. `used` and `limit` are in the limit's unit.
 */
export interface BudgetWarned {
  at?: number;
  limit: number;
  name: string;
  round: number;
  type: "budget.warned";
  used: number;
}
/**
 * End one turn, running or queued, by its id; the table goes on.
 */
export interface Cancel {
  turn: string;
  type: "cancel";
}
/**
 * A claim of a verdict and who stands where; who is named in none of the lists took no stance.
 */
export interface Claim {
  opposes: string[];
  supports: string[];
  text: string;
  unsure: string[];
}
/**
 * Something that can be agreed to or not, as the panel discusses it. `claim` is `c1`, `c2`, ...
 */
export interface ClaimMade {
  at?: number;
  by: string;
  claim: string;
  round: number;
  text: string;
  turn: string;
  type: "claim.made";
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
 * Ask for the floor: once who speaks has ended no other begins until something is said, or the hand is lowered.
 */
export interface RaiseHand {
  author?: string;
  type: "raise_hand";
}
/**
 * Let the table go on after all.
 */
export interface LowerHand {
  author?: string;
  type: "lower_hand";
}
/**
 * Pass over one panelist's turn under way or next in the queue; without a name, whoever has the floor.
 */
export interface Skip {
  panelist?: string;
  type: "skip";
}
/**
 * Give a panelist no turns; what she is saying is cut.
 */
export interface Mute {
  panelist: string;
  type: "mute";
}
/**
 * Give her turns again.
 */
export interface Unmute {
  panelist: string;
  type: "unmute";
}
/**
 * Let a panelist leave for good; what she said stays.
 */
export interface Remove {
  panelist: string;
  type: "remove";
}
/**
 * Put `seat` in a panelist's place. Under the same name it is another model that speaks from now on.
 */
export interface Swap {
  panelist: string;
  seat: Panelist;
  type: "swap";
}
/**
 * Set limits anew; those that are absent stay as they are.
 */
export interface Extend {
  limits: Limits;
  type: "extend";
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
 * End the discussion and come to a verdict now; the table rests after it.
 */
export interface Conclude {
  type: "verdict";
}
/**
 * Call the table by another name than its topic; an empty one takes that back.
 */
export interface Title {
  title: string;
  type: "title";
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
  command:
    | Say
    | Pause
    | Resume
    | Close
    | Cancel
    | Retry
    | BargeIn
    | RaiseHand
    | LowerHand
    | Skip
    | Mute
    | Unmute
    | Add
    | Remove
    | Swap
    | Extend
    | Conclude
    | Title
    | Put;
  key: string;
  type: "command.submitted";
}
/**
 * Lay material on the table, of which the bytes are kept and the text is read already: no caller's command.
 */
export interface Put {
  author?: string;
  cut?: boolean;
  form: "image" | "text";
  media_type: string;
  name: string;
  pages?: number;
  sha256: string;
  size: number;
  text?: string;
  type: "put";
}
/**
 * The dispersion fell below the table's threshold.
 */
export interface Converge {
  at?: number;
  method: "embedding" | "lexical";
  round: number;
  threshold: number;
  type: "converge";
  value: number;
}
/**
 * What a turn cost in US dollars, by list price. No Cost at all means the price is unknown, not nothing.
 */
export interface Cost {
  dollars: number;
}
/**
 * What one panelist holds against the answer, in her own or the chair's words.
 */
export interface Dissent {
  panelist: string;
  text: string;
}
/**
 * How far apart the round's positions are, from 0 (the same words, or the same place) to 1. `method` says by what it was measured, `model` by whose embeddings; it is dispersion, and no measure of agreement.
 */
export interface Entropy {
  at?: number;
  method: "embedding" | "lexical";
  model: string;
  round: number;
  type: "entropy";
  value: number;
  voices: number;
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
 * The table exists: who sits at it, about what, and until when. `record` false: it is on no disk; `verdict`: it comes to one before it ends; `origin`: of what table it is a fork.
 */
export interface TableOpened {
  at: number;
  limits: Limits;
  origin: Origin | null;
  panel: Panelist[];
  policy: string;
  record: boolean;
  seed: number;
  table: string;
  then: "close" | "rest";
  title: string;
  topic: string;
  type: "table.opened";
  until: Until;
  verdict: boolean;
}
/**
 * Where a forked table comes from: another table, up to a cursor.
 */
export interface Origin {
  cursor: string;
  table: string;
}
/**
 * What ends a discussion before its limits do, whichever comes first. `convergence` is a threshold from 0 to 1 on the dispersion of a round (`entropy`); `consensus` is that nobody opposes any claim; `loop` that the panel repeats itself or only thanks; `passes` that everyone had nothing to add.
 */
export interface Until {
  consensus: boolean;
  convergence: number | null;
  loop: boolean;
  passes: boolean;
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
 * The discussion is over, for that reason; what follows is the verdict.
 */
export interface TableConcluding {
  at: number;
  command?: string;
  detail: string;
  inbox?: number;
  reason: string;
  type: "table.concluding";
}
/**
 * The table has another name than its topic; empty: no longer.
 */
export interface TableTitled {
  at: number;
  command?: string;
  inbox?: number;
  title: string;
  type: "table.titled";
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
 * Who sits at the table, or may speak, has changed. `seat` is the new one where there is one: in the place of `panelist` when it has her name, else beside her, who has then left.
 */
export interface PanelChanged {
  at: number;
  change: "added" | "muted" | "removed" | "swapped" | "unmuted";
  command?: string;
  inbox?: number;
  panelist: string;
  seat: Panelist | null;
  type: "panel.changed";
}
/**
 * These limits hold from here on.
 */
export interface LimitsChanged {
  at: number;
  command?: string;
  inbox?: number;
  limits: Limits;
  type: "limits.changed";
}
/**
 * A person asks for the floor; who speaks may end, then the table waits, at most `within` seconds.
 */
export interface HandRaised {
  at: number;
  author: string;
  command?: string;
  inbox?: number;
  type: "hand.raised";
  within: number;
}
/**
 * The table waits for that person no more: `said`, `command` or `timeout`.
 */
export interface HandLowered {
  at: number;
  author: string;
  command?: string;
  inbox?: number;
  reason: string;
  type: "hand.lowered";
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
 * Someone will have the floor. `reason` is said on the stage when it is not simply her place in the round, `question` put to her; `command` and `inbox` are those of who asked for it.
 */
export interface TurnQueued {
  at: number;
  command?: string;
  inbox?: number;
  kind: string;
  panelist: string;
  question: string;
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
 * Asking failed before a first word; attempt `attempt` follows after `wait` seconds; another `model` is asked then, if one is named.
 */
export interface TurnRetried {
  at: number;
  attempt: number;
  error: Failure;
  model: string;
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
 * She is asked to stop: at her next sentence's end, or after `within` seconds or `tokens` more.
 */
export interface TurnYielding {
  at: number;
  command?: string;
  inbox?: number;
  panelist: string;
  tokens: number;
  turn: string;
  type: "turn.yielding";
  within: number;
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
 * What tool `name` gave for call `call`, after `seconds`; `truncated` when it was more than is taken.
 */
export interface TurnToolResult {
  at: number;
  attempt: number;
  call: string;
  error: boolean;
  name: string;
  panelist: string;
  seconds: number;
  text: string;
  truncated: boolean;
  turn: string;
  type: "turn.tool_result";
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
 * Something to read or to look at lies on the table. `text` is what is in it, `cut` if that was more than is taken, of `pages` where it has some. `size` is in bytes; they themselves are kept beside the log, by their `sha256`.
 */
export interface MaterialAdded {
  at: number;
  author: string;
  command?: string;
  cut: boolean;
  form: "image" | "text";
  inbox?: number;
  material: string;
  media_type: string;
  name: string;
  pages: number;
  sha256: string;
  size: number;
  text: string;
  type: "material.added";
}
/**
 * What she said is not what was asked for; `detail` says what is missing, for her and for people.
 */
export interface TurnUnread {
  at?: number;
  detail: string;
  kind: string;
  panelist: string;
  round: number;
  turn: string;
  type: "turn.unread";
}
/**
 * A moderator gave `speaker` the floor, with a question and for a reason.
 */
export interface SpeakerChosen {
  at?: number;
  panelist: string;
  question: string;
  reason: string;
  round: number;
  speaker: string;
  turn: string;
  type: "speaker.chosen";
}
/**
 * For which side or option she is. `stage` is `before` or `after` a debate, or empty.
 */
export interface VoteCast {
  at?: number;
  choice: string;
  panelist: string;
  reason: string;
  round: number;
  stage: string;
  turn: string;
  type: "vote.cast";
}
/**
 * All ballots or votes of a round together. `scores` are Borda points (ballots) or votes by choice; `winner` has most of them, and `condorcet` beats every other in pairs; each is empty when there is none. `swing` is what a debate moved: votes after less votes before, by choice.
 */
export interface TallyCounted {
  at?: number;
  ballots: number;
  condorcet: string;
  kind: string;
  pairs: Pair[];
  round: number;
  scores: {
    [k: string]: number;
  };
  swing: {
    [k: string]: number;
  };
  type: "tally.counted";
  winner: string;
}
/**
 * How many ballots have `winner` before `loser`, of those that rank both; ours are the ones where it is more.
 */
export interface Pair {
  ballots: number;
  loser: string;
  of: number;
  winner: string;
}
/**
 * Where `panelist` stands on a claim in that round, as turn `turn` reads it. If that moved since an earlier round, `moved_by` is whose argument moved her, and `new_argument` is false when there was none that she had not heard.
 */
export interface StanceTaken {
  at?: number;
  claim: string;
  moved: boolean;
  moved_by: string;
  new_argument: boolean;
  panelist: string;
  reason: string;
  round: number;
  stance: "oppose" | "support" | "unsure";
  turn: string;
  type: "stance.taken";
}
/**
 * What was said up to entry `through` (its `seq`), for prompts that have no room for all of it.
 */
export interface SummaryMade {
  at?: number;
  panelist: string;
  round: number;
  text: string;
  through: number;
  turn: string;
  type: "summary.made";
}
/**
 * What the panel came to. `header` says in one line who answered and who did not, and is derived from the log. `answer` is the chair's synthesis in turn `turn`, and empty where there is none: then `missing` says why, and nothing stands in for it. `source` says where claims come from: `stances` were read each round, `chair` is the chair's word, and with neither there are none. `silent` are those who did not answer, and why.
 */
export interface VerdictGiven {
  answer: string;
  answered: string[];
  at?: number;
  chair: string;
  claims: Claim[];
  confidence: "" | "high" | "low" | "medium";
  dissent: Dissent[];
  header: string;
  missing: string;
  round: number;
  silent: {
    [k: string]: string;
  };
  source: "" | "chair" | "stances";
  tally: TallyCounted | null;
  turn: string;
  type: "verdict.given";
  why: string;
}
/**
 * What the round that begins is likely to use: tokens read and written, US dollars if all prices are known.
 */
export interface RoundForecast {
  at?: number;
  dollars: number | null;
  round: number;
  tokens_in: number;
  tokens_out: number;
  type: "round.forecast";
}
/**
 * A finding at its place in the log.
 */
export interface Found {
  at: number;
  finding:
    | TurnUnread
    | SpeakerChosen
    | BidMade
    | VoteCast
    | BallotCast
    | TallyCounted
    | ClaimMade
    | StanceTaken
    | Entropy
    | Converge
    | SummaryMade
    | VerdictGiven
    | BudgetWarned
    | BudgetDegraded
    | RoundForecast;
  seq: number;
}
/**
 * What lies on the table.
 */
export interface Material {
  at: number;
  author: string;
  cut: boolean;
  form: "image" | "text";
  material: string;
  media_type: string;
  name: string;
  pages: number;
  seq: number;
  sha256: string;
  size: number;
  text: string;
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
 * A table at a cursor. `spent` is for the whole table, `base` what it was when the limits last began to count (at opening, or when it woke from rest: a sitting), `base_round` the round and `base_seq` the entry likewise. `concluding` is why the discussion of this sitting ended, while its verdict is still to come or was given.
 */
export interface Transcript {
  absent: {
    [k: string]: Failure;
  };
  at: number;
  base: Spent;
  base_round: number;
  base_seq: number;
  commands: {
    [k: string]: string;
  };
  concluding: string;
  concluding_detail: string;
  cursor: string;
  ended_detail: string;
  ended_reason: string;
  failures: {
    [k: string]: number;
  };
  findings: Found[];
  hands: string[];
  inbox: number;
  limits: Limits;
  materials: Material[];
  messages: Posted[];
  muted: string[];
  opened_at: number;
  origin: Origin | null;
  panel: Panelist[];
  policy: string;
  record: boolean;
  removed: string[];
  round: number;
  running_since: number;
  seed: number;
  spent: Spent;
  status: "closed" | "new" | "open" | "paused" | "resting";
  table: string;
  then: "close" | "rest";
  title: string;
  topic: string;
  turns: Turn[];
  until: Until;
  verdict: boolean;
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
  question: string;
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
  yielding: boolean;
}
