/** Tables at which several speak at once, told event by event; see `tests/golden_scenarios.py` for the whole of it. */
import type { Event } from "../src/protocol.gen";
import type { Entry } from "../src/reduce";

const TERM = 1763675000000;
const USAGE = { input: 1, output: 1, cached: 0, cache_write: 0, thinking: 0, estimated: false };
type Type = Event["type"];

export class Telling {
  readonly entries: Entry[] = [];
  at = TERM / 1000;
  #turns: string[] = [];

  constructor(...names: string[]) {
    const panel = names.map((name) => ({ name, model: "scripted:x", persona: "", options: {} }));
    const limits = { max_turns: null, max_rounds: null, max_tokens: null, max_seconds: null, max_dollars: null };
    this.add("term.began", { owner: "node", lost: 0 });
    const rest = { policy: "parallel", limits, then: "close", seed: 1, record: true };
    this.add("table.opened", { table: "t", topic: "What?", panel, ...rest });
  }

  add(type: Type, members: object, after = 0): this {
    this.at += after;
    this.entries.push({ id: `${TERM}-${this.entries.length + 1}`, type, at: this.at, ...members } as Entry);
    return this;
  }

  queue(round: number, ...names: string[]): this {
    for (const panelist of names) {
      this.#turns.push(panelist);
      this.add("turn.queued", { ...this.#of(this.#turns.length), kind: "speech", round, reason: "" });
    }
    return this;
  }

  start(...turns: number[]): this {
    const within = { first_within: 60, idle_within: 30, total_within: 300 };
    for (const turn of turns) this.add("turn.started", { ...this.#of(turn), model: "scripted:x", digest: "", attempt: 1, ...within });
    return this;
  }

  say(turn: number, text: string, chunks?: [number, number][], after = 1): this {
    return this.add("turn.delta", { ...this.#of(turn), attempt: 1, text, ...(chunks && { chunks }) }, after);
  }

  end(turn: number, text: string, after = 1): this {
    return this.add("turn.completed", { ...this.#of(turn), attempt: 1, text, stop_reason: "end", usage: USAGE, cost: null }, after);
  }

  fail(turn: number, text = "", after = 0): this {
    const error = { code: "unavailable", detail: "The server is away.", retryable: true };
    return this.add("turn.failed", { ...this.#of(turn), attempt: 1, text, error, usage: USAGE, cost: null }, after);
  }

  cancel(turn: number, text = "", after = 1): this {
    return this.add("turn.cancelled", { ...this.#of(turn), attempt: 1, text, reason: "command", usage: USAGE, cost: null }, after);
  }

  ask(to = "", text = "Why?"): this {
    return this.add("message.posted", { message: `m${this.entries.length}`, author: "Host", text, to }, 1);
  }

  #of(turn: number) {
    return { turn: `t${turn}`, panelist: this.#turns[turn - 1]! };
  }
}
