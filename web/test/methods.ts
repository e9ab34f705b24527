/** A table under each method, told event by event: what the stage must be able to show, whatever a server writes. */
import type { Event, Panelist } from "../src/protocol.gen";
import type { Entry } from "../src/reduce";
import { seatOf } from "../src/scene";

const TERM = 1763675000000;
const NO_LIMITS = { max_turns: null, max_rounds: null, max_tokens: null, max_seconds: null, max_dollars: null };
type Type = Event["type"];

const PERSONAS: Record<string, [model: string, persona: string]> = {
  Ada: ["anthropic:claude-sonnet-4-5", "A ward clinician. Asks who is harmed when it fails."],
  Ben: ["openai:gpt-5.1", "An engineer. Wants the failure rate, then the tail."],
  Cleo: ["gemini:gemini-3.5-flash", "A regulator. Who signs, and who is told?"],
  Dag: ["ollama:llama3.1:8b", "A patient. Reads what they are given."],
  Mira: ["anthropic:claude-opus-4-5", "Holds the office, and takes no side."],
};

export function panelOf(...names: string[]): Panelist[] {
  return names.map((name) => ({ ...seatOf(name, PERSONAS[name]![0]), persona: PERSONAS[name]![1] }));
}

export const LETTERS = "Should a hospital let a model read every discharge letter before a doctor does?";

interface Opening {
  policy: string;
  panel: Panelist[];
  topic?: string;
  rounds?: number;
  verdict?: boolean;
  convergence?: number;
  dollars?: number;
}

export class Method {
  readonly entries: Entry[] = [];
  at = TERM / 1000;
  round = 0;
  #turns = 0;

  constructor({ policy, panel, topic = LETTERS, rounds, verdict = false, convergence, dollars }: Opening) {
    this.add("term.began", { owner: "node", lost: 0 });
    const until = { convergence: convergence ?? null, consensus: false, loop: false, passes: false };
    const limits = { ...NO_LIMITS, max_rounds: rounds ?? null, max_dollars: dollars ?? null };
    const rest = { limits, then: "close", seed: 1, record: true, title: "", verdict, until, origin: null };
    this.add("table.opened", { table: policy, topic, panel, policy, ...rest });
  }

  add(type: Type, members: object = {}, after = 0.4): this {
    this.at += after;
    this.entries.push({ id: `${TERM}-${this.entries.length + 1}`, type, at: this.at, ...members } as Entry);
    return this;
  }

  begin(round: number): this {
    this.round = round;
    return this.add("round.started", { round });
  }

  /** Queue turns of one kind; their ids. */
  queue(kind: string, names: string[], reason = "", question = ""): string[] {
    return names.map((panelist) => {
      const turn = `t${(this.#turns += 1)}`;
      this.add("turn.queued", { turn, panelist, kind, round: this.round, reason, question });
      return turn;
    });
  }

  start(turn: string, panelist: string): this {
    const within = { first_within: 60, idle_within: 30, total_within: 300 };
    return this.add("turn.started", { turn, panelist, attempt: 1, model: PERSONAS[panelist]?.[0] ?? "scripted:x", digest: "", ...within });
  }

  say(turn: string, panelist: string, text: string, after = 2): this {
    return this.add("turn.delta", { turn, panelist, attempt: 1, text }, after);
  }

  end(turn: string, panelist: string, text: string, after = 2): this {
    const usage = { input: 640, output: 120, thinking: 0, cached: 0, cache_write: 0, estimated: false };
    return this.add("turn.completed", { turn, panelist, attempt: 1, text, stop_reason: "end", usage, cost: { dollars: 0.0042 } }, after);
  }

  fail(turn: string, panelist: string, detail: string, retryable = false): this {
    const usage = { input: 0, output: 0, thinking: 0, cached: 0, cache_write: 0, estimated: false };
    return this.add("turn.failed", { turn, panelist, attempt: 1, text: "", error: { code: "unavailable", detail, retryable }, usage, cost: null });
  }

  /** A whole turn; its id. */
  turn(kind: string, panelist: string, text: string, reason = "", question = ""): string {
    const [turn] = this.queue(kind, [panelist], reason, question);
    this.start(turn!, panelist).say(turn!, panelist, text, 1.5).end(turn!, panelist, text, 4);
    return turn!;
  }

  /** All at once; their ids. */
  volley(kind: string, words: Record<string, string>): Record<string, string> {
    const names = Object.keys(words);
    const turns = this.queue(kind, names);
    names.forEach((name, place) => this.start(turns[place]!, name));
    names.forEach((name, place) => this.say(turns[place]!, name, words[name]!, 0.5));
    names.forEach((name, place) => this.end(turns[place]!, name, words[name]!, 1));
    return Object.fromEntries(names.map((name, place) => [name, turns[place]!]));
  }

  /** Something that was read in a turn. */
  read(type: Type, turn: string, panelist: string, members: object): this {
    return this.add(type, { turn, panelist, round: this.round, ...members }, 0.05);
  }

  note(type: Type, members: object): this {
    return this.add(type, { round: this.round, ...members }, 0.05);
  }

  conclude(reason: string): this {
    return this.add("table.concluding", { reason, detail: "" });
  }

  verdict(members: object): this {
    const nothing = { answer: "", claims: [], dissent: [], confidence: "", why: "", chair: "", turn: "", missing: "", source: "", answered: [], silent: {}, tally: null };
    return this.note("verdict.given", { header: "", ...nothing, ...members });
  }

  close(reason: string): Entry[] {
    return this.add("table.closed", { reason, detail: "" }).entries;
  }
}

const SPEECHES = {
  Ada: "Yes, and I would go further than you ask. Flagging changes who carries the duty. If the letter stays the doctor’s own words, a flag is a second pair of eyes, and second pairs of eyes are the oldest safety device a ward has.",
  Ben: "We keep arguing about accuracy as if it were one number. The letters that matter are the rare ones: the missed interaction, the wrong side. A reader that is right 99 times in a hundred can still be wrong exactly there.",
  Cleo: "Who signs? If nobody can say which model read which letter on which day, the duty has moved to a place where no court will find it.",
  Dag: "I read mine at the kitchen table. Nobody asked whether I understood it. A model that marks what I will not understand would have helped me more than any doctor did.",
};

/** A moderator gives the floor, once by a choice that could not be read. */
export function moderated(): Entry[] {
  const panel = panelOf("Ada", "Ben", "Cleo", "Mira");
  panel[3] = { ...panel[3]!, role: "moderator" };
  const table = new Method({ policy: "moderated", panel, rounds: 2 }).begin(1);
  const choose = (speaker: string, question: string, reason: string) => {
    const turn = table.turn("moderation", "Mira", JSON.stringify({ speaker, question, reason }));
    table.read("speaker.chosen", turn, "Mira", { speaker, question, reason });
    table.turn("speech", speaker, SPEECHES[speaker as keyof typeof SPEECHES], `Mira: ${reason}`, question);
  };
  choose("Ada", "What would you lose if it only flagged, and never wrote?", "the ward goes first");
  const odd = table.turn("moderation", "Mira", "I think everyone has made excellent points!");
  table.read("turn.unread", odd, "Mira", { kind: "moderation", detail: "There is no JSON object in the answer." });
  choose("Ben", "Which letters does it miss?", "he has the failure rates, and nobody has asked for them");
  const wrong = ["Perhaps Zed?", "Zed, again."].map((text) => table.turn("moderation", "Mira", text));
  wrong.forEach((turn) => table.read("turn.unread", turn, "Mira", { kind: "moderation", detail: "Nobody named Zed sits here." }));
  table.turn("speech", "Cleo", SPEECHES.Cleo, "the moderator named nobody; spoke least so far");
  return table.close("max_rounds");
}

/** Bids before each speech; one who does not answer, one who fails for good. */
export function raise_hand(): Entry[] {
  const table = new Method({ policy: "raise_hand", panel: panelOf("Ada", "Ben", "Cleo", "Dag"), rounds: 2 }).begin(1);
  const bid = (bids: Record<string, [urgency: number, about: string] | null>) => {
    const turns = table.volley("bid", Object.fromEntries(Object.entries(bids).map(([name, made]) => [name, made ? JSON.stringify({ urgency: made[0], about: made[1] }) : "Me, please!"])));
    for (const [name, made] of Object.entries(bids)) {
      if (made) table.read("bid.made", turns[name]!, name, { urgency: made[0], about: made[1] });
      else table.read("turn.unread", turns[name]!, name, { kind: "bid", detail: "There is no number from 0 to 10 in it." });
    }
  };
  bid({ Ada: [6, "who carries the duty"], Ben: [8, "the tail"], Cleo: null, Dag: [3, "what I got to read"] });
  table.turn("speech", "Ben", SPEECHES.Ben, "bid 8 of 10: the tail");
  bid({ Ada: [7, "the duty, again"], Cleo: [9, "who signs"], Dag: [7, "I am the one who reads it"] });
  table.turn("speech", "Dag", SPEECHES.Dag, "bid 7 of 10: I am the one who reads it; spoke least so far");
  const turns = table.queue("bid", ["Ada", "Ben", "Cleo"]);
  table.start(turns[0]!, "Ada").start(turns[1]!, "Ben").start(turns[2]!, "Cleo");
  table.end(turns[0]!, "Ada", "{\"urgency\": 5}", 1).read("bid.made", turns[0]!, "Ada", { urgency: 5, about: "" });
  table.fail(turns[1]!, "Ben", "The server refused the key.");
  table.end(turns[2]!, "Cleo", "{\"urgency\": 9, \"about\": \"who signs\"}", 3).read("bid.made", turns[2]!, "Cleo", { urgency: 9, about: "who signs" });
  table.turn("speech", "Cleo", SPEECHES.Cleo, "bid 9 of 10: who signs");
  return table.close("max_rounds");
}

/** A vote before and after; a mind is changed, and the verdict says so. */
export function debate(): Entry[] {
  const table = new Method({ policy: "debate", panel: panelOf("Ada", "Ben", "Cleo", "Dag"), topic: "This house would let a model read every discharge letter first.", rounds: 3, verdict: true }).begin(1);
  const vote = (stage: string, votes: Record<string, [string, string]>) => {
    const turns = table.volley("vote", Object.fromEntries(Object.entries(votes).map(([name, [choice, reason]]) => [name, JSON.stringify({ choice, reason })])));
    for (const [name, [choice, reason]] of Object.entries(votes)) table.read("vote.cast", turns[name]!, name, { choice, reason, stage });
  };
  vote("before", { Ada: ["for", "A second pair of eyes."], Ben: ["against", "The tail."], Cleo: ["against", "Nobody signs."], Dag: ["against", "Nobody asked me."] });
  table.turn("opening", "Ada", SPEECHES.Ada, "for the motion");
  table.turn("opening", "Ben", SPEECHES.Ben, "against the motion");
  table.begin(2).turn("rebuttal", "Dag", SPEECHES.Dag, "for the motion");
  table.turn("rebuttal", "Cleo", SPEECHES.Cleo, "against the motion");
  table.begin(3).turn("closing", "Ada", "Nobody here has defended the letter as it is written today. That is the motion’s whole case.", "for the motion");
  vote("after", { Ada: ["for", "As before."], Ben: ["against", "The tail is still there."], Cleo: ["for", "If it is named in the letter."], Dag: ["for", "Ada is right: today nobody reads it."] });
  table.note("tally.counted", { kind: "vote", scores: { for: 3, against: 1 }, winner: "for", condorcet: "", pairs: [], swing: { for: 2, against: -2 }, ballots: 4 });
  table.conclude("max_rounds");
  const answer = "## Answer\n\nThe motion carried, three to one. What moved the table was not accuracy but the state of the letter today.\n\n## Dissent\n\nBen: “The tail is still there.”";
  const turn = table.turn("verdict", "Cleo", answer, "the discussion is over: max_rounds");
  table.verdict({ header: "4 of 4 answered. Cleo, one of the panel, chaired.", answer: "The motion carried, three to one. What moved the table was not accuracy but the state of the letter today.", turn, chair: "Cleo", confidence: "medium", why: "One vote rests on a condition.", dissent: [{ panelist: "Ben", text: "The tail is still there." }], answered: ["Ada", "Ben", "Cleo", "Dag"] });
  return table.close("max_rounds");
}

/** Blind rounds that come closer, passed on without names; the dispersion is measured lexically. */
export function delphi(): Entry[] {
  const table = new Method({ policy: "delphi", panel: panelOf("Ada", "Ben", "Cleo"), rounds: 4, verdict: true, convergence: 0.3 });
  const answers = [
    { Ada: "Let it flag, never write.", Ben: "Only for drug interactions, where the failure rate is known.", Cleo: "Not before somebody signs for it." },
    { Ada: "Let it flag, and name itself in the letter.", Ben: "Flags for interactions and doses; the doctor signs.", Cleo: "Flags, if the doctor signs and the model is named." },
    { Ada: "Flags; the doctor signs; the model is named.", Ben: "Flags; the doctor signs; the model is named. Interactions first.", Cleo: "Flags; the doctor signs; the model is named." },
  ];
  answers.forEach((said, place) => {
    table.begin(place + 1);
    if (place === 2) table.note("round.forecast", { tokens_in: 3900, tokens_out: 420, dollars: 0.031 });
    table.volley("answer", said);
    const value = [0.71, 0.48, 0.22][place]!;
    table.note("entropy", { value, method: "lexical", model: "", voices: 3 });
  });
  table.note("converge", { value: 0.22, threshold: 0.3, method: "lexical" }).conclude("convergence");
  const answer = "## Answer\n\nA model may flag; the doctor signs; the model is named in the letter.";
  const turn = table.turn("verdict", "Ada", answer, "the discussion is over: convergence");
  table.verdict({ header: "3 of 3 answered. Ada, one of the panel, chaired.", answer: "A model may flag; the doctor signs; the model is named in the letter.", turn, chair: "Ada", confidence: "high" });
  return table.close("convergence");
}

/** Blind answers, ranked without names; points and pairs differ, the chair fails, and there is no synthesis. */
export function council(): Entry[] {
  const panel = panelOf("Ada", "Ben", "Cleo", "Dag", "Mira");
  panel[4] = { ...panel[4]!, role: "chair" };
  const table = new Method({ policy: "council", panel, rounds: 1, verdict: true, dollars: 0.1 }).begin(1);
  table.volley("answer", SPEECHES);
  const rankings: Record<string, string[]> = { Ada: ["Dag", "Cleo", "Ben"], Ben: ["Ada", "Dag", "Cleo"], Cleo: ["Ada", "Dag", "Ben"] };
  const turns = table.queue("ballot", [...Object.keys(rankings), "Dag"]);
  [...Object.keys(rankings), "Dag"].forEach((name, place) => table.start(turns[place]!, name));
  Object.entries(rankings).forEach(([name, ranking], place) => {
    table.end(turns[place]!, name, JSON.stringify(ranking), 1).read("ballot.cast", turns[place]!, name, { ranking, shown: [...ranking].reverse() });
  });
  table.fail(turns[3]!, "Dag", "The model on this machine ran out of memory.");
  const pairs = [["Ada", "Dag", 2, 3], ["Ada", "Cleo", 2, 2], ["Dag", "Cleo", 3, 3], ["Dag", "Ben", 3, 3]].map(([winner, loser, ballots, of]) => ({ winner, loser, ballots, of }));
  table.note("tally.counted", { kind: "ballot", scores: { Ada: 4, Dag: 4.5, Cleo: 2, Ben: 0.5 }, winner: "Dag", condorcet: "Ada", pairs, swing: {}, ballots: 3 });
  table.note("budget.warned", { name: "max_dollars", used: 0.083, limit: 0.1 });
  table.note("budget.degraded", { measure: "no_stances", detail: "" });
  table.conclude("max_rounds");
  const [turn] = table.queue("verdict", ["Mira"], "the discussion is over: max_rounds");
  table.start(turn!, "Mira").fail(turn!, "Mira", "The provider’s servers are overloaded.", true);
  table.verdict({
    header: "4 of 4 answered; the chair failed, no synthesis.", missing: "the chair failed", answered: ["Ada", "Ben", "Cleo", "Dag"],
    dissent: [{ panelist: "Ben", text: "A reader that is right 99 times in a hundred can still be wrong exactly there." }],
  });
  return table.close("max_rounds");
}

/** One proposes, the others attack at once, the proposer revises; claims and stances round by round. */
export function red_team(): Entry[] {
  const table = new Method({ policy: "red_team", panel: panelOf("Ada", "Ben", "Cleo", "Dag"), rounds: 2, verdict: true }).begin(1);
  const stances = (claims: Record<string, string>, taken: [string, string, string, string?, boolean?][]) => {
    const turn = table.turn("stances", "Ada", JSON.stringify({ claims, taken }));
    for (const [claim, text] of Object.entries(claims)) table.note("claim.made", { claim, text, by: "Ada", turn });
    for (const [panelist, claim, stance, moved_by, new_argument = true] of taken) {
      const moved = moved_by !== undefined;
      table.add("stance.taken", { turn, panelist, round: table.round, claim, stance, reason: "As she said.", moved, moved_by: moved_by ?? "", new_argument }, 0.02);
    }
  };
  table.turn("proposal", "Ada", SPEECHES.Ada);
  table.volley("attack", { Ben: SPEECHES.Ben, Cleo: SPEECHES.Cleo, Dag: SPEECHES.Dag });
  stances({ c1: "A model may flag, but never write, a discharge letter.", c2: "Silence must be shown as a result of its own." }, [["Ada", "c1", "support"], ["Ben", "c1", "oppose"], ["Cleo", "c1", "unsure"], ["Ada", "c2", "support"]]);
  table.note("entropy", { value: 0.38, method: "embedding", model: "openai:text-embedding-3-small", voices: 4 });
  table.begin(2).turn("revision", "Ada", "Accepted from Ben: the silent case is shown, *read, nothing found*, with what it looked for. Rejected from Cleo: a signature per model adds a name and no duty.");
  table.volley("attack", { Ben: "Then say who reads the silence.", Cleo: "PASS", Dag: "PASS" });
  stances({ c3: "Accuracy on rare letters decides, not the average." }, [["Ben", "c1", "support", "Ada"], ["Cleo", "c1", "oppose", "", false], ["Ben", "c2", "support"], ["Ada", "c3", "support"], ["Ben", "c3", "support"], ["Cleo", "c3", "unsure"]]);
  table.note("entropy", { value: 0.29, method: "embedding", model: "openai:text-embedding-3-small", voices: 4 });
  table.conclude("max_rounds");
  const answer = "## Answer\n\nLet it flag, and show its silence.\n\n## Where they disagree\n\nWho signs.";
  const turn = table.turn("verdict", "Ben", answer, "the discussion is over: max_rounds");
  table.verdict({
    header: "4 of 4 answered. Ben, one of the panel, chaired.", answer: "Let it flag, and show its silence.", turn, chair: "Ben", confidence: "medium", why: "Nobody named a failure rate.", source: "stances",
    claims: [{ text: "A model may flag, but never write, a discharge letter.", supports: ["Ada", "Ben"], opposes: ["Cleo"], unsure: [] }, { text: "Silence must be shown as a result of its own.", supports: ["Ada", "Ben"], opposes: [], unsure: [] }],
    dissent: [{ panelist: "Cleo", text: "A flag without a signature moves the duty to a place where no court will find it." }], answered: ["Ada", "Ben", "Cleo", "Dag"],
  });
  return table.close("max_rounds");
}

/** Tools, another model in the middle, a barge-in, a muted seat, a hand. */
export function steered(): Entry[] {
  const table = new Method({ policy: "round_robin", panel: panelOf("Ada", "Ben", "Cleo"), rounds: 3 }).begin(1);
  const [ada, ben] = table.queue("speech", ["Ada", "Ben", "Cleo"]);
  const error = { code: "rate_limited", detail: "The server asked to slow down.", retryable: true };
  table.start(ada!, "Ada").add("turn.retried", { turn: ada, panelist: "Ada", attempt: 2, error, wait: 0, model: "openai:gpt-5.1-mini" });
  table.add("turn.tool", { turn: ada, panelist: "Ada", attempt: 2, call: "c1", name: "letters.search", arguments: "{\"query\": \"missed" }, 1);
  table.add("turn.tool", { turn: ada, panelist: "Ada", attempt: 2, call: "c1", name: "", arguments: " interaction\"}" }, 0.2);
  table.add("turn.tool_result", { turn: ada, panelist: "Ada", attempt: 2, call: "c1", name: "letters.search", text: "3 letters of 412 <b>found</b>.", error: false, truncated: true, seconds: 2.4 }, 2.4);
  const words = "Three letters in four hundred. That is the rate, and I would like to see each of them.\n\n";
  table.say(ada!, "Ada", words);
  table.add("turn.tool", { turn: ada, panelist: "Ada", attempt: 2, call: "c2", name: "letters.read", arguments: "{\"id\": 7}" }, 1);
  table.add("turn.tool_result", { turn: ada, panelist: "Ada", attempt: 2, call: "c2", name: "letters.read", text: "Not allowed.", error: true, truncated: false, seconds: 0.1 }, 0.1);
  table.say(ada!, "Ada", "The third I may not read.").end(ada!, "Ada", `${words}The third I may not read.`);
  table.start(ben!, "Ben").say(ben!, "Ben", "We keep arguing about accuracy as if it were one number. The letters");
  table.add("hand.raised", { author: "Rosa", within: 60, command: "key-1", inbox: 1 });
  table.add("turn.yielding", { turn: ben, panelist: "Ben", within: 2, tokens: 200, command: "key-2", inbox: 2 });
  table.add("message.posted", { message: "m1", author: "Rosa", text: "Which three?", to: "", command: "key-2", inbox: 2 });
  const usage = { input: 1, output: 1, thinking: 0, cached: 0, cache_write: 0, estimated: false };
  table.add("turn.cancelled", { turn: ben, panelist: "Ben", attempt: 1, text: "We keep arguing about accuracy as if it were one number.", reason: "barge_in", usage, cost: null });
  table.add("hand.lowered", { author: "Rosa", reason: "said" });
  table.add("panel.changed", { change: "muted", panelist: "Ben", seat: null, command: "key-3", inbox: 3 });
  table.add("panel.changed", { change: "added", panelist: "Dag", seat: panelOf("Dag")[0], command: "key-4", inbox: 4 });
  table.add("table.titled", { title: "Letters", command: "key-5", inbox: 5 });
  table.add("limits.changed", { limits: { ...NO_LIMITS, max_rounds: 4, max_dollars: 0.5 }, command: "key-6", inbox: 6 });
  table.add("panel.changed", { change: "removed", panelist: "Cleo", seat: null, command: "key-7", inbox: 7 });
  table.add("turn.cancelled", { turn: "t3", panelist: "Cleo", attempt: 1, text: "", reason: "removed", usage, cost: null });
  return table.close("command");
}

export const METHODS = { moderated, raise_hand, debate, delphi, council, red_team, steered };
