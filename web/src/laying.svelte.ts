/** Files on their way to one table, one after another, each until its entry has come or it is not taken. */
import { lay, Refused } from "./api";
import { newKey } from "./commands.svelte";
import { refusal, uploadOf } from "./files";
import type { Transcript } from "./protocol.gen";
import { own } from "./reduce";

export interface Coming {
  key: string;
  file: File;
  /** How much of it has gone up, from 0 to 1. */
  share: number;
  /** Why it does not lie there, in the server's words. */
  wrong: string;
  /** No other try would change that. */
  final: boolean;
}

export class Laying {
  files = $state<Coming[]>([]);
  #tail: Promise<unknown> = Promise.resolve();

  constructor(readonly table: string) {}

  lay(files: Iterable<File>): void {
    for (const file of files) {
      this.files.push({ key: newKey(), file, share: 0, wrong: refusal(file), final: refusal(file) !== "" });
      const coming = this.files.at(-1)!;
      if (!coming.final) this.#tail = this.#tail.then(() => this.#send(coming));
    }
  }

  /** Under the same key: should it have come about after all, it is not done twice. */
  again(coming: Coming): void {
    Object.assign(coming, { share: 0, wrong: "" });
    this.#tail = this.#tail.then(() => this.#send(coming));
  }

  dismiss({ key }: Coming): void {
    this.files = this.files.filter((each) => each.key !== key);
  }

  /** Forget what the log shows as done. */
  settle({ commands }: Transcript): void {
    const open = this.files.filter(({ key }) => own(commands, key) === undefined);
    if (open.length < this.files.length) this.files = open;
  }

  async #send(coming: Coming): Promise<void> {
    try {
      await lay(this.table, await uploadOf(coming.file), coming.key, (share) => (coming.share = share));
    } catch (error) {
      coming.final = error instanceof Refused && error.problem.status < 500 && error.problem.status !== 429;
      coming.wrong = error instanceof TypeError ? "The server did not answer. Try again: it is not laid there twice." : (error as Error).message;
    }
  }
}
