/**
 * One table as the page knows it: its Transcript as of now, its recording as far as it was fetched, and how well we
 * are connected. Entries are applied as they come and shown once a frame.
 */
import { exists, snapshot, type Snapshot } from "./api";
import { type Call, Chronicle, type Note } from "./chronicle";
import { seqOf } from "./cursor";
import type { Transcript } from "./protocol.gen";
import { apply, copy, type Entry, newTranscript } from "./reduce";
import { Recording } from "./replay";
import { type Connection, history, type Pulse, type Reader, Stream } from "./stream";

// Up to so many entries (some megabytes) the recording is fetched unasked, so that notes stand where they belong.
const FETCHED_UNASKED = 20_000;
// How often a table that is over is looked for: whoever reads on after it was deleted is told. Milliseconds.
const LOOK_EVERY = 60_000;
// A clock that differs by less than this differs by the network's delay.
const LEAST_SKEW = 2;

export class Table implements Reader {
  shown = $state.raw(newTranscript());
  notes = $state.raw<Note[]>([]);
  /** Turn -> Unix seconds of its first word, as far as the recording tells. */
  wordsAt = $state.raw<ReadonlyMap<string, number>>(new Map());
  /** Turn -> its tool calls, likewise. */
  calls = $state.raw<ReadonlyMap<string, Call[]>>(new Map());
  connection = $state.raw<Connection>({ state: "connecting" });
  /** Whether a snapshot has come. */
  known = $state(false);
  spectators = $state(0);
  /** How much of the past was fetched: needed for replay, not for reading. */
  recorded = $state<"no" | "fetching" | "yes" | "failed">("no");
  recording = new Recording();

  #chronicle = new Chronicle();
  #transcript = newTranscript();
  #tail: Entry[] = []; // live entries that wait for the history before them
  #history = new AbortController();
  #fetching = Promise.resolve();
  #stream: Stream;
  #skew = 0;
  #frame = 0;
  #called = 0;

  readonly id: string;

  constructor(id: string) {
    this.id = id;
    const around = { fetch: fetch.bind(window), snapshot, exists, random: Math.random, online: () => navigator.onLine };
    this.#stream = new Stream(id, this, around);
  }

  follow(): () => void {
    void this.#stream.run();
    const retry = () => this.#stream.retry();
    const look = () => document.hidden || void this.#stream.look();
    const timer = setInterval(look, LOOK_EVERY);
    addEventListener("online", retry);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      removeEventListener("online", retry);
      document.removeEventListener("visibilitychange", look);
      this.#stream.stop();
      this.#history.abort();
      cancelAnimationFrame(this.#frame);
    };
  }

  retry(): void {
    this.#stream.retry();
  }

  /** The server's time, in Unix seconds. */
  now(): number {
    return Date.now() / 1000 + this.#skew;
  }

  // -- Reader ----------------------------------------------------------------------------------------------------

  cursor(): string {
    return this.#transcript.cursor;
  }

  take(entry: Entry): void {
    apply(this.#transcript, entry);
    if (this.recorded === "yes") this.#record(entry);
    else this.#tail.push(entry);
    this.#show();
  }

  replace({ transcript, skew }: Snapshot): void {
    this.#transcript = copy({ ...newTranscript(), ...transcript }); // a node of an older version tells less
    this.#skew = Math.abs(skew) < LEAST_SKEW ? 0 : skew;
    this.#forget();
    if (seqOf(transcript.cursor) <= FETCHED_UNASKED) this.fetchRecording();
    this.known = true;
    this.#show();
  }

  pulse({ spectators }: Pulse): void {
    this.spectators = spectators;
  }

  changed(connection: Connection): void {
    this.connection = connection;
  }

  // -- The past --------------------------------------------------------------------------------------------------

  /** Fetch every entry up to the snapshot, once; live ones join behind. Never rejects: `recorded` tells. */
  fetchRecording(): Promise<void> {
    if (this.recorded === "no" || this.recorded === "failed") this.#fetching = this.#fetch();
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    this.recorded = "fetching";
    const { signal } = (this.#history = new AbortController());
    const until = seqOf(this.cursor()) - this.#tail.length;
    const take = (entries: Entry[]) => !signal.aborted && entries.forEach((entry) => this.#record(entry));
    try {
      await history(this.id, until, take, signal);
      for (const entry of this.#tail.splice(0)) this.#record(entry);
      this.recorded = "yes";
    } catch {
      if (!signal.aborted) this.#forget("failed");
    }
    this.#show();
  }

  #record(entry: Entry): void {
    this.recording.add(entry);
    this.#chronicle.add(entry);
  }

  #forget(recorded: "no" | "failed" = "no"): void {
    this.#history.abort();
    this.recording = new Recording();
    this.#chronicle = new Chronicle();
    this.#called = -1;
    this.recorded = recorded;
    if (recorded === "no") this.#tail = [];
  }

  #show(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.shown = copy(this.#transcript);
      if (this.recorded !== "yes") return;
      if (this.notes.length !== this.#chronicle.notes.length) this.notes = [...this.#chronicle.notes];
      if (this.wordsAt.size !== this.#chronicle.wordsAt.size) this.wordsAt = new Map(this.#chronicle.wordsAt);
      if (this.#called !== this.#chronicle.called) {
        this.#called = this.#chronicle.called;
        this.calls = new Map(this.#chronicle.calls);
      }
    });
  }
}

/** Whether anything more may happen here. */
export function isOver(transcript: Transcript): boolean {
  return transcript.status === "closed";
}
