/**
 * What the entries tell and the Transcript does not keep: pauses, second tries, who came and went, tool calls, and when
 * a turn's first word came. Each note stands at its entry's number, so a replay shows those up to its moment.
 */
import { seqOf } from "./cursor";
import { changeNote, concludingNote, handNote, limitsNote, loweredNote, materialNote, titleNote } from "./notes";
import type { Entry } from "./reduce";
import { endReason, retryNote, skippedNote } from "./words";
import type { Limits, Panelist } from "./protocol.gen";

export interface Note {
  seq: number;
  at: number;
  text: string;
  /** The turn it belongs to, and stands with. */
  turn?: string;
  /** Whose hand was raised, and for how many seconds it is waited. */
  hand?: { author: string; within: number };
}

/** A tool call of a turn. A moment of a replay sees what came up to its entry. */
export interface Call {
  call: string;
  name: string;
  seq: number;
  /** How many characters she had said. */
  after: number;
  arguments: string;
  result?: { seq: number; text: string; error: boolean; truncated: boolean; seconds: number };
}

export class Chronicle {
  readonly notes: Note[] = [];
  /** Turn -> Unix seconds of its first word (thoughts and tool calls are none). */
  readonly wordsAt = new Map<string, number>();
  /** Turn -> its tool calls. A list and a Call are replaced, never changed. */
  readonly calls = new Map<string, Call[]>();
  /** How many entries told of tools: whether `calls` has changed. */
  called = 0;
  #limits: Partial<Limits> = {};
  #seats = new Map<string, Panelist>();
  #resting = false;
  #concluding = "";
  #queued = new Set<string>(); // turns that have not begun
  #said = new Map<string, number>(); // turn under way -> characters

  add(entry: Entry): void {
    const text = this.#text(entry);
    const turn = entry.type === "turn.retried" ? { turn: entry.turn } : {};
    const hand = entry.type === "hand.raised" ? { hand: { author: entry.author, within: entry.within } } : {};
    if (text) this.notes.push({ seq: seqOf(entry.id), at: entry.at, text, ...turn, ...hand });
    this.#keep(entry);
  }

  #keep(entry: Entry): void {
    switch (entry.type) {
      case "table.opened":
        entry.panel.forEach((seat) => this.#seats.set(seat.name, seat));
        this.#limits = entry.limits;
        break;
      case "limits.changed":
        this.#limits = entry.limits;
        break;
      case "panel.changed":
        if (entry.seat) this.#seats.set(entry.seat.name, entry.seat);
        break;
      case "turn.queued":
        this.#queued.add(entry.turn);
        break;
      case "turn.started":
        this.#queued.delete(entry.turn);
        break;
      case "turn.delta":
        if (!this.wordsAt.has(entry.turn)) this.wordsAt.set(entry.turn, entry.at);
        this.#said.set(entry.turn, (this.#said.get(entry.turn) ?? 0) + entry.text.length);
        break;
      case "turn.tool":
      case "turn.tool_result":
        this.called += 1;
        this.calls.set(entry.turn, this.#called(entry, this.calls.get(entry.turn) ?? []));
        break;
      case "table.concluding":
        this.#concluding = entry.reason; // said then, and not again when it rests
        break;
      case "table.rested":
        this.#resting = true;
        this.#concluding = "";
        break;
      case "table.resumed":
      case "stress.requested":
        this.#resting = false;
        break;
    }
  }

  #called(entry: Extract<Entry, { type: "turn.tool" | "turn.tool_result" }>, calls: Call[]): Call[] {
    const seq = seqOf(entry.id);
    const after = this.#said.get(entry.turn) ?? 0;
    const known = calls.find(({ call, result }) => call === entry.call && !result);
    const was: Call = known ?? { call: entry.call, name: "", seq, after, arguments: "" };
    const now = { ...was, name: entry.name || was.name };
    if (entry.type === "turn.tool") {
      now.arguments += entry.arguments;
    } else {
      const { text, error, truncated, seconds } = entry;
      now.result = { seq, text, error, truncated, seconds };
    }
    return known ? calls.map((each) => (each === known ? now : each)) : [...calls, now];
  }

  #text(entry: Entry): string {
    switch (entry.type) {
      case "turn.retried":
        return retryNote(entry.panelist, entry.error, entry.wait, entry.attempt, entry.model);
      // What the table drops when it closes goes without saying.
      case "turn.cancelled":
        return entry.reason === "command" && this.#queued.has(entry.turn) ? skippedNote(entry.panelist) : "";
      case "table.paused":
        return "Paused. Whoever has the floor finishes; then nobody begins until the table is resumed.";
      case "table.resumed":
        return this.#resting ? "The table woke. Its limits count anew." : "Resumed.";
      case "table.concluding":
        return concludingNote(entry.reason, this.#limits, entry.detail);
      case "table.rested":
        return `${entry.reason === this.#concluding ? "" : endReason(entry.reason, this.#limits)} The table rests; a question wakes it.`.trim();
      case "stress.requested":
        return "A person asked for a stress test: whether the outcome stands when it is judged another way.";
      case "table.titled":
        return titleNote(entry.title);
      case "limits.changed":
        return limitsNote(entry.limits);
      case "panel.changed":
        return changeNote(entry, this.#seats.get(entry.panelist));
      case "material.added":
        return materialNote(entry);
      case "hand.raised":
        return handNote(entry.author, entry.within);
      case "hand.lowered":
        return loweredNote(entry.author, entry.reason);
      case "term.began":
        return seqOf(entry.id) > 1 ? takeoverNote(entry.lost, this.#resting) : "";
      default:
        return "";
    }
  }
}

/** A table at rest has no owner, and gets one when something is asked of it: that is no restart. */
function takeoverNote(lost: number, resting: boolean): string {
  const gone = lost === 0 ? "" : lost === 1 ? "The store lost its last entry." : `The store lost its last ${lost} entries.`;
  return `${resting ? "" : "The server was restarted, and the table goes on from what it had written. "}${gone}`.trim();
}
