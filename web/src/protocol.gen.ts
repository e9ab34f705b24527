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
  | StressTest
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
  | StressRequested
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
  | JudgementGiven
  | StressTested
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
 * Seat another panelist, or one who left, or is absent, again.
 */
export interface Add {
  seat: AskedSeat;
  type: "add";
}
/**
 * A seat as asked for: a misspelt member is an error here, while logs may hold what later versions add.
 */
export interface AskedSeat {
  fallback?: string[];
  model: string;
  name: string;
  options?: {
    [k: string]: unknown;
  };
  persona?: string;
  role?: "" | "chair" | "moderator";
  tools?: string[];
}
/**
 * Limits as asked for, strict likewise.
 */
export interface AskedLimits {
  max_dollars?: number | null;
  max_rounds?: number | null;
  max_seconds?: number | null;
  max_tokens?: number | null;
  max_turns?: number | null;
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
 * Take the floor: who speaks yields at the next sentence's end, or after 2 s or 200 tokens. `text` is said at once; without it the author's hand is raised, and the table waits for what comes.
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
 * What the table does without from here on so that it can end well: `fewer_rounds`, `cheaper_chair`, `no_ballots`, `no_votes`, `no_stances`, `no_synthesis`. `panelist` is who does it instead, where somebody does.
 */
export interface BudgetDegraded {
  at?: number;
  detail: string;
  measure: string;
  panelist: string;
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
 * Give a panelist no turns until unmuted; what she is saying is cut.
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
 * Put `seat` in a panelist's place, and give it the turns that she had open. Under the same name it is another model that speaks from now on; what it was saying is cut.
 */
export interface Swap {
  panelist: string;
  seat: AskedSeat;
  type: "swap";
}
/**
 * Set limits anew; those that are absent stay as they are. A table at rest stays at rest.
 */
export interface Extend {
  limits: AskedLimits;
  type: "extend";
}
/**
 * End the discussion and come to a verdict now: who speaks is cut, and the table rests after it.
 */
export interface Conclude {
  type: "verdict";
}
/**
 * Have the answers of a discussion that rests judged again, in another order and at equal lengths, and see whether the winner is still the same.
 */
export interface StressTest {
  type: "stress_test";
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
    | StressTest
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
 * The chair has `panelist` in favour of a claim (its text) that she opposes, or the other way round: `holds` is what her stance says, and what the verdict's claims go by.
 */
export interface Correction {
  claim: string;
  holds: "oppose" | "support" | "unsure";
  panelist: string;
}
/**
 * What a turn cost in US dollars, by list price. No Cost at all means the price is unknown, not nothing.
 */
export interface Cost {
  dollars: number;
}
/**
 * What one panelist holds against the answer, or against most of the others: in her own words, said in turn `turn`, or where that is empty in the chair's.
 */
export interface Dissent {
  panelist: string;
  text: string;
  turn: string;
}
/**
 * How far apart the round's positions are, from 0 (the same words, or the same place) to 1. `method` says by what it was measured, `model` by whose embeddings, which read so many `tokens`; it is dispersion, and no measure of agreement. `cost` absent is unknown, where a model was asked.
 */
export interface Entropy {
  at?: number;
  cost: Cost | null;
  method: "embedding" | "lexical";
  model: string;
  round: number;
  tokens: number;
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
 * Where a forked table comes from: another table, up to a cursor.
 */
export interface Origin {
  cursor: string;
  table: string;
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
 * Turns begin again. From rest, the limits on turns, rounds, tokens, seconds and dollars count anew; `reason` is then what woke it: `message`, `retry`, `command`, or `verdict`, which is still about what was said before.
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
 * A person asks for the floor; who speaks may end, then the table waits, at most `within` seconds, for one person after the other.
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
 * The table waits for that person no more: `said`, `command`, `timeout`, or `ended` as the discussion is over, or the table.
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
 * The answers of the discussion that has come to rest are judged again; it is the same sitting, whose limits count anew, and then the table rests as before.
 */
export interface StressRequested {
  at: number;
  command?: string;
  inbox?: number;
  type: "stress.requested";
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
 * Someone has the floor: the model was asked. `digest` is of the request as projected from the log. `room` is how much of what was said it could hold, `length` how long it was, both in characters, `pictures` how many her model was shown, and `most` how many tokens she was allowed to say, 0 without a limit; 0 also where an older version did not tell. `first_within`, `idle_within` and `total_within` are the deadlines in seconds; 0 is none.
 */
export interface TurnStarted {
  at: number;
  attempt: number;
  digest: string;
  first_within: number;
  idle_within: number;
  length: number;
  model: string;
  most: number;
  panelist: string;
  pictures: number;
  room: number;
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
 * The turn's end by a person's or the table's decision. A queued turn may be cancelled too. `reason`: `command` (this one was named), `barge_in`, `skipped`, `muted`, `removed`, `swapped`, `absent`, `concluding`, `closing`, or a limit's name. What was said until a `barge_in` is part of the conversation.
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
 * All ballots or votes of a round together. `scores` are Borda points per ballot (how many of the others it puts below) or votes by choice; `winner` has most of them, and `condorcet` beats every other in pairs; each is empty when there is none. Of `twice` pairs that a panelist was shown in both orders, `flipped` came out the other way round. `swing` is what a debate moved: votes after less votes before, by choice.
 */
export interface TallyCounted {
  at?: number;
  ballots: number;
  condorcet: string;
  flipped: number;
  kind: string;
  pairs: Pair[];
  round: number;
  scores: {
    [k: string]: number;
  };
  swing: {
    [k: string]: number;
  };
  twice: number;
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
 * How a judge ranks the answers of a discussion, best first, when she is shown them under a `variation`.
 */
export interface JudgementGiven {
  at?: number;
  panelist: string;
  ranking: string[];
  round: number;
  shown: string[];
  turn: string;
  type: "judgement.given";
  variation: string;
}
/**
 * Whether `winner`, of the ballots or else of the judge, wins under every variation. `survives` is absent where that is not known: nobody won, or a judgement could not be read while no other speaks against her.
 */
export interface StressTested {
  at?: number;
  round: number;
  survives: boolean | null;
  type: "stress.tested";
  variations: Variation[];
  winner: string;
}
/**
 * Who wins when something is done another way: a judgement under that variation, or the ballots by that rule. `winner` is empty where nobody does, and `detail` says why; `read` is false where the judge could not be read.
 */
export interface Variation {
  detail: string;
  judge: string;
  name: string;
  read: boolean;
  winner: string;
}
/**
 * Where `panelist` stands on a claim in that round, as turn `turn` reads it. If that moved since an earlier round, `moved_by` is whose argument moved her, and `new_argument` is false when there was none that she had not heard. `quote` is what she said of it, and stands in her words of that round exactly so.
 */
export interface StanceTaken {
  at?: number;
  claim: string;
  moved: boolean;
  moved_by: string;
  new_argument: boolean;
  panelist: string;
  quote: string;
  reason: string;
  round: number;
  stance: "oppose" | "support" | "unsure";
  turn: string;
  type: "stance.taken";
}
/**
 * What was said up to and with the turn or message `through`, for prompts that have no room for all of it.
 */
export interface SummaryMade {
  at?: number;
  panelist: string;
  round: number;
  text: string;
  through: string;
  turn: string;
  type: "summary.made";
}
/**
 * What the panel came to. `header` says in one line who answered and who did not, and is derived from the log. `answer` is the chair's synthesis in turn `turn`, and empty where there is none: then `missing` says why, and nothing stands in for it. `source` says where claims come from: `stances` were read each round, `chair` is the chair's word, and with neither there are none. `silent` are those who did not answer, and why; `cut` are those whom a deadline kept from ending what they said, though they may have answered before.
 */
export interface VerdictGiven {
  answer: string;
  answered: string[];
  at?: number;
  chair: string;
  claims: Claim[];
  confidence: "" | "high" | "low" | "medium";
  corrections: Correction[];
  cut: string[];
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
    | JudgementGiven
    | StressTested
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
 * What the table has used, in all. `unpriced` counts turns and measurements whose price is unknown: with any, dollars are a lower bound.
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
 * A table at a cursor. `spent` is for the whole table, `base` what it was when the limits last began to count (at opening, or when it woke from rest: a sitting), `base_round` the round and `base_seq` the entry likewise. `concluding` is why the discussion of this sitting ended, while its verdict is still to come or was given; `concluding_seq` is the entry that said so. `testing` is the entry that asked for a stress test, while one is held; `ended_reason` is then still why the table rested. The table waits for the first of `hands` since `hand_at`, as far as nobody speaks, for `hand_within` seconds.
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
  concluding_seq: number;
  cursor: string;
  ended_detail: string;
  ended_reason: string;
  failures: {
    [k: string]: number;
  };
  findings: Found[];
  hand_at: number;
  hand_within: number;
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
  testing: number;
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
  length: number;
  model: string;
  most: number;
  panelist: string;
  pictures: number;
  question: string;
  queued_at: number;
  reason: string;
  room: number;
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
  uses: Use[];
  yielding: boolean;
}
/**
 * A tool that she used, or began to: `seconds` and what came of it once it is `done`.
 */
export interface Use {
  arguments: string;
  call: string;
  done: boolean;
  error: boolean;
  name: string;
  seconds: number;
  text: string;
  truncated: boolean;
}
