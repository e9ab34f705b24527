/**
 * Where in time the reader is: at the end (live, or all of a past table), or at a moment of the recording that moves
 * at a speed. The state at a moment is the recording's fold; playing is only moving.
 */
import { type Axis, axisOf } from "./axis";
import type { Transcript } from "./protocol.gen";
import type { Moment } from "./replay";
import { isOver, type Table } from "./table.svelte";

export const SPEEDS = [0.5, 1, 1.5, 2, 4, 8];
// This close to the head a reader is as good as live, and is put there.
const AT_HEAD = 0.25;

export class Player {
  playing = $state(false);
  speed = $state(1);
  /** Null is the end. */
  moment = $state.raw<Moment | null>(null);
  /** The recording is being fetched, because someone wants to move in it. */
  waiting = $state(false);
  /** Server time in Unix seconds, as of the last tick. */
  now = $state(0);

  /** Until when there is anything: the table's last entry once it is over, else now. */
  head: number = $derived.by(() => (isOver(this.table.shown) ? this.table.shown.at : this.now));
  /** The state at the reader's moment. After a reset the recording is fetched anew, and the end is shown meanwhile. */
  transcript: Transcript = $derived.by(() =>
    this.moment && this.table.recorded === "yes" ? this.table.recording.state(this.moment) : this.table.shown,
  );
  axis: Axis = $derived.by(() => axisOf(this.table.shown, this.head));
  /** The server's time at the reader's moment, and the same in table time. */
  at: number = $derived.by(() => this.moment?.at ?? this.head);
  position: number = $derived.by(() => (this.moment ? this.axis.toTable(this.moment.at) : this.axis.length));

  readonly table: Table;
  #ticked = 0;

  constructor(table: Table) {
    this.table = table;
    this.now = table.now();
  }

  /** To be called every frame, or as often as the page likes. `milliseconds` is any steady clock's time. */
  tick(milliseconds: number): void {
    const elapsed = this.#ticked ? Math.min(1, (milliseconds - this.#ticked) / 1000) : 0; // a hidden page does not jump
    this.#ticked = milliseconds;
    // What we do not hear of does not go on.
    if (this.table.connection.state === "live") this.now = this.table.now();
    if (this.playing && this.moment) this.#move(this.axis.toTable(this.moment.at) + elapsed * this.speed);
  }

  async play(): Promise<void> {
    if (!this.moment && !isOver(this.table.shown)) return; // live plays by itself
    if (!(await this.#ready())) return;
    this.moment ??= this.table.recording.when(this.table.shown.opened_at);
    this.#ticked = 0;
    this.playing = true;
  }

  /** Stop here: the table goes on, the reader does not. */
  async pause(): Promise<void> {
    if (!this.moment && (await this.#ready())) this.moment = this.table.recording.when(this.head);
    this.playing = false;
  }

  toggle(): Promise<void> {
    const plays = this.moment ? this.playing : !isOver(this.table.shown);
    return plays ? this.pause() : this.play();
  }

  /** To a table time; at the head that is live. */
  async seek(time: number): Promise<void> {
    if (!(await this.#ready())) return;
    if (time >= this.axis.length - AT_HEAD) return this.live();
    this.moment = this.table.recording.when(this.axis.toWall(Math.max(0, time)));
  }

  /** To directly after entry number `seq`. */
  async seekEntry(seq: number): Promise<void> {
    if (await this.#ready()) this.moment = this.table.recording.after(seq);
  }

  /** To where another turn begins: the one before this or after it. */
  async seekTurn(direction: -1 | 1): Promise<void> {
    const starts = this.table.shown.turns
      .filter(({ started_at }) => started_at > 0)
      .map(({ started_at }) => this.axis.toTable(started_at))
      .sort((a, b) => a - b);
    const here = this.position;
    // Going back from within a turn's first second goes to the turn before, as on every player.
    const back = starts.findLast((each) => each < here - 1) ?? 0;
    const next = starts.find((each) => each > here + 0.05) ?? Infinity;
    await this.seek(direction > 0 ? next : back);
  }

  live(): void {
    this.moment = null;
    this.playing = false;
  }

  #move(time: number): void {
    if (time >= this.axis.length - AT_HEAD) return this.live();
    this.moment = this.table.recording.when(this.axis.toWall(time));
  }

  /** Whether there is a recording to move in; fetches it first where need be. */
  async #ready(): Promise<boolean> {
    this.waiting = this.table.recorded !== "yes";
    await this.table.fetchRecording();
    this.waiting = false;
    return this.table.recorded === "yes";
  }
}
