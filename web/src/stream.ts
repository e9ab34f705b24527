/**
 * Follows one table: a snapshot, then every entry after it, exactly once and in order, across lost connections.
 *
 * EventSource sees no status and sends a stale `after`; so this reads the stream itself. What cannot be continued
 * (a `reset`, a gap, an entry that does not follow) is answered by a new snapshot.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { eventsOf, exportOf, type Problem, problemOf, Refused, type Snapshot } from "./api";
import { seqOf, ZERO } from "./cursor";
import { type Entry, IllegalMove } from "./reduce";

/** `next` is when the next try begins, in Unix milliseconds. */
export type Connection =
  | { state: "connecting" | "live" | "ended" | "deleted" | "not_found" | "not_allowed" }
  | { state: "reconnecting" | "offline"; next: number }
  | { state: "refused"; detail: string };

export interface Pulse {
  head: string;
  spectators: number;
}

/** Who reads the table. `take` gets the entry after `cursor()`; `replace` makes the reader stand at the snapshot. */
export interface Reader {
  cursor(): string;
  take(entry: Entry): void;
  replace(snapshot: Snapshot): void;
  pulse(pulse: Pulse): void;
  changed(connection: Connection): void;
}

export interface Surroundings {
  fetch: typeof fetch;
  snapshot(table: string, signal: AbortSignal): Promise<Snapshot>;
  exists(table: string, cursor: string): Promise<boolean>;
  random(): number;
  online(): boolean;
}

// A heartbeat comes every 10 s: after two and a half of them the connection is dead, whatever TCP believes.
const SILENCE = 25_000;
const SHORTEST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

/** Thrown to leave a connection: for good with a state to stay in, else to try again. */
class Left extends Error {
  constructor(
    readonly final?: Connection,
    readonly wait?: number,
  ) {
    super();
  }
}

export class Stream {
  #connection = new AbortController();
  #stopped = false;
  #synced = false;
  #ended = false;
  #failures = 0;
  #retry = SHORTEST_WAIT;
  #wake = () => {};
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly table: string,
    private readonly reader: Reader,
    private readonly around: Surroundings,
  ) {}

  /** Follow until the table ends, `stop()` is called, or the server says no. Never rejects. */
  async run(): Promise<void> {
    this.reader.changed({ state: "connecting" });
    while (!this.#stopped) {
      const left = await this.#connect();
      if (this.#stopped) return;
      if (left.final) {
        this.#ended = left.final.state === "ended";
        return this.reader.changed(left.final);
      }
      await this.#pause(left.wait ?? this.#backoff());
      this.#failures += 1;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#connection.abort();
    this.#wake();
  }

  /** Try again now instead of when the wait is over. */
  retry(): void {
    this.#wake();
  }

  /** A table that is over sends nothing more: look whether it is still there. Never rejects. */
  async look(): Promise<void> {
    if (!this.#ended) return;
    const there = await this.around.exists(this.table, this.reader.cursor()).catch(() => true); // no answer tells nothing
    if (there || this.#stopped) return;
    this.#ended = false;
    this.reader.changed({ state: "not_found" });
  }

  async #connect(): Promise<Left> {
    this.#connection = new AbortController();
    this.#listen();
    try {
      if (!this.#synced) await this.#resync();
      await this.#read(await this.#open());
      return new Left();
    } catch (error) {
      if (error instanceof Left) return error;
      if (error instanceof Refused) return leftBy(error.problem);
      return new Left(); // the network failed, the watchdog bit, or a frame was no JSON
    } finally {
      clearTimeout(this.#watchdog);
      this.#connection.abort();
    }
  }

  async #open(): Promise<ReadableStream<Uint8Array>> {
    const cursor = this.reader.cursor();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (cursor !== ZERO) headers["Last-Event-ID"] = cursor;
    const request = { headers, signal: this.#connection.signal, cache: "no-store" } as const;
    const response = await this.around.fetch(eventsOf(this.table), request);
    if (response.status === 204) throw new Left({ state: "ended" });
    if (!response.ok) {
      const after = Number(response.headers.get("Retry-After")) * 1000;
      throw leftBy(await problemOf(response), after || undefined);
    }
    if (!response.body) throw new Left();
    return response.body;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const frames: EventSourceMessage[] = [];
    const parser = createParser({
      onEvent: (frame) => frames.push(frame),
      onRetry: (milliseconds) => (this.#retry = Math.max(SHORTEST_WAIT, milliseconds)),
    });
    const decoder = new TextDecoder();
    this.reader.changed({ state: "live" });
    const chunks = stream.getReader();
    for (;;) {
      this.#listen();
      const { done, value } = await chunks.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      for (const frame of frames.splice(0)) await this.#receive(frame);
    }
  }

  async #receive({ event, id, data }: EventSourceMessage): Promise<void> {
    if (event === "end") throw new Left({ state: reasonOf(data) === "deleted" ? "deleted" : "ended" });
    if (event === "reset") return this.#resync();
    if (event === "hb") this.reader.pulse(JSON.parse(data) as Pulse);
    else if (id) await this.#take({ id, ...JSON.parse(data) } as Entry);
    this.#failures = 0;
  }

  async #take(entry: Entry): Promise<void> {
    if (this.#offer(entry)) return;
    await this.#resync();
    if (!this.#offer(entry)) throw new Left();
  }

  /** Whether the reader has this entry now, or had it already. */
  #offer(entry: Entry): boolean {
    const ahead = seqOf(entry.id) - seqOf(this.reader.cursor());
    if (ahead <= 0) return true;
    if (ahead > 1) return false;
    try {
      this.reader.take(entry);
      return true;
    } catch (error) {
      if (error instanceof IllegalMove) return false;
      throw error;
    }
  }

  async #resync(): Promise<void> {
    this.#synced = false;
    this.reader.replace(await this.around.snapshot(this.table, this.#connection.signal));
    this.#synced = true;
  }

  /** Leave the connection when nothing is heard for too long. */
  #listen(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#connection.abort(), SILENCE);
  }

  /** Full jitter over a doubling range, so that a server that comes back is not met by everyone at once. */
  #backoff(): number {
    const range = Math.min(LONGEST_WAIT, this.#retry * 2 ** Math.min(this.#failures, 10));
    return this.#failures === 0 ? range * this.around.random() : range * (0.5 + this.around.random() / 2);
  }

  async #pause(milliseconds: number): Promise<void> {
    const state = this.around.online() ? "reconnecting" : "offline";
    this.reader.changed({ state, next: Date.now() + milliseconds });
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
    if (!this.#stopped) this.reader.changed({ state: "connecting" });
  }
}

/** Why a stream ended; nothing of it matters but that the table was deleted. */
function reasonOf(data: string): unknown {
  const told: unknown = JSON.parse(data || "{}");
  return typeof told === "object" && told !== null && "reason" in told ? told.reason : "";
}

function leftBy({ status, code, detail }: Problem, wait?: number): Left {
  if (code === "log_damaged") return new Left({ state: "refused", detail }); // ours, and no wait mends it
  if (status === 401 || status === 403) return new Left({ state: "not_allowed" });
  if (status === 404) return new Left({ state: "not_found" });
  if (status === 408 || status === 425 || status === 429 || status >= 500) return new Left(undefined, wait);
  return new Left({ state: "refused", detail });
}

/**
 * Every entry from the first to number `until`, in batches as they come. Read from the export, which is no second
 * spectator of the table.
 */
export async function history(
  table: string,
  until: number,
  take: (entries: Entry[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(exportOf(table, "jsonl"), { signal, cache: "no-store" });
  if (!response.ok || !response.body) throw new Refused(await problemOf(response));
  const decoder = new TextDecoder();
  const pieces = response.body.getReader();
  let [last, rest] = [0, ""];
  for (;;) {
    const { done, value } = await pieces.read();
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n"); // no other line end is meant
    rest = lines.pop()!;
    const entries = lines.map((line) => JSON.parse(line) as Entry).filter((entry) => seqOf(entry.id) <= until);
    if (entries.length > 0) take(entries);
    last = entries.length > 0 ? seqOf(entries.at(-1)!.id) : last;
    if (last >= until) return void (await pieces.cancel());
    if (done) throw new Error(`The recording ends at ${last} of ${until}.`);
  }
}
