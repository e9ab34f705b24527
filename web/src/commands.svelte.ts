/**
 * Commands to one table: sent one after another, each with its key, and pending until its entry has come. Nothing is
 * shown as done before the log says so.
 */
import { command, Refused } from "./api";
import type { Command, Transcript } from "./protocol.gen";
import { own } from "./reduce";

/** What a person says or does in person: it is shown as "You". */
const SPOKEN = new Set<Command["type"]>(["say", "barge_in", "raise_hand"]);

export interface Pending {
  key: string;
  asked: string;
  what: Command;
}

export class Commands {
  /** What the table, or the way there, has against the last command. */
  wrong = $state("");
  pending = $state.raw<Pending[]>([]);

  readonly table: string;
  #tail: Promise<unknown> = Promise.resolve();
  /** What got no answer. It may have been done: sent again it keeps its key, so it is not done twice. */
  #unanswered: Pending | null = null;
  #onkey: (key: string) => void;

  /** `onkey` is told the key of what is said in person, before it is sent. */
  constructor(table: string, onkey: (key: string) => void) {
    this.table = table;
    this.#onkey = onkey;
  }

  /** Whether the table took it. The same command, while it is pending, is not sent again. */
  send(what: Command): Promise<boolean> {
    const asked = JSON.stringify(what);
    if (this.pending.some((each) => each.asked === asked)) return Promise.resolve(false);
    const key = this.#unanswered?.asked === asked ? this.#unanswered.key : newKey();
    const pending = { key, asked, what };
    this.wrong = "";
    this.pending = [...this.pending, pending];
    if (SPOKEN.has(what.type)) this.#onkey(key);
    const sent = this.#tail.then(() => this.#send(pending));
    this.#tail = sent;
    return sent;
  }

  /** Forget what the log shows as done. */
  settle({ commands }: Transcript): void {
    const open = this.pending.filter(({ key }) => own(commands, key) === undefined);
    if (open.length < this.pending.length) this.pending = open;
  }

  isPending(type: Command["type"]): boolean {
    return this.pending.some(({ what }) => what.type === type);
  }

  async #send(pending: Pending): Promise<boolean> {
    try {
      await command(this.table, pending.what, pending.key);
      this.#unanswered = null;
      return true;
    } catch (error) {
      const refused = error instanceof Refused;
      this.#unanswered = refused && error.problem.status < 500 ? null : pending;
      this.wrong = refused ? error.message : "The server did not answer. Try again: it is not done twice.";
      this.pending = this.pending.filter((each) => each !== pending);
      return false;
    }
  }
}

export function newKey(): string {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`; // without TLS there is no randomUUID
}
