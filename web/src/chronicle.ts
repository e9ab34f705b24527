/**
 * What the entries tell and the Transcript does not keep: pauses, second tries, changes of owner, and when a turn's
 * first word came. Each note stands at its entry's number, so a replay shows those up to its moment.
 */
import { seqOf } from "./cursor";
import type { Entry } from "./reduce";
import { endReason, retryNote, skippedNote } from "./words";
import type { Limits } from "./protocol.gen";

export interface Note {
  seq: number;
  at: number;
  text: string;
  /** The turn it belongs to, and stands with. */
  turn?: string;
}

export class Chronicle {
  readonly notes: Note[] = [];
  /** Turn -> Unix seconds of its first word (thoughts and tool calls are none). */
  readonly wordsAt = new Map<string, number>();
  #limits: Partial<Limits> = {};
  #resting = false;
  #queued = new Set<string>(); // turns that have not begun

  add(entry: Entry): void {
    if (entry.type === "turn.delta" && !this.wordsAt.has(entry.turn)) this.wordsAt.set(entry.turn, entry.at);
    if (entry.type === "table.opened") this.#limits = entry.limits;
    const text = this.#text(entry);
    const turn = entry.type === "turn.retried" ? { turn: entry.turn } : {};
    if (text) this.notes.push({ seq: seqOf(entry.id), at: entry.at, text, ...turn });
    if (entry.type === "turn.queued") this.#queued.add(entry.turn);
    if (entry.type === "turn.started") this.#queued.delete(entry.turn);
    if (entry.type === "table.rested") this.#resting = true;
    if (entry.type === "table.resumed") this.#resting = false;
  }

  #text(entry: Entry): string {
    switch (entry.type) {
      case "turn.retried":
        return retryNote(entry.panelist, entry.error, entry.wait, entry.attempt);
      // What the table drops when it closes goes without saying.
      case "turn.cancelled":
        return entry.reason === "command" && this.#queued.has(entry.turn) ? skippedNote(entry.panelist) : "";
      case "table.paused":
        return "Paused. Whoever has the floor finishes; then nobody begins until the table is resumed.";
      case "table.resumed":
        return this.#resting ? "The table woke. Its limits count anew." : "Resumed.";
      case "table.rested":
        return `${endReason(entry.reason, this.#limits)} The table rests; a question wakes it.`;
      case "term.began":
        return seqOf(entry.id) > 1 ? takeoverNote(entry.lost) : "";
      default:
        return "";
    }
  }
}

function takeoverNote(lost: number): string {
  const gone = lost === 0 ? "" : lost === 1 ? " The store lost its last entry." : ` The store lost its last ${lost} entries.`;
  return `The server was restarted, and the table goes on from what it had written.${gone}`;
}
