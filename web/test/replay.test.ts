import { deepStrictEqual } from "node:assert";
import { describe, expect, it } from "vitest";
import { axisOf } from "../src/axis";
import { barsOf } from "../src/lanes";
import { fold } from "../src/reduce";
import { lastAt, Recording, told } from "../src/replay";
import { type Entry } from "../src/reduce";
import { Telling } from "./atonce";
import { entriesOf, NAMES } from "./golden";

function recordingOf(entries: Entry[]): Recording {
  const recording = new Recording();
  for (const entry of entries) recording.add(entry);
  return recording;
}

/** One turn of so many words, each its own entry. */
function long(words: number): Entry[] {
  const entries = entriesOf("plain").slice(0, 5);
  const { id, at } = entries.at(-1)!;
  const [term] = id.split("-");
  for (let word = 1; word <= words; word++) {
    const place = { id: `${term}-${5 + word}`, at: at + word / 20 };
    entries.push({ ...place, type: "turn.delta", turn: "t1", panelist: "Ada", attempt: 1, text: ` ${word}` });
  }
  return entries;
}

describe("a recording", () => {
  it.each(NAMES)("shows %s after every entry as the fold does, in any order of seeking", (name) => {
    const entries = entriesOf(name);
    const recording = recordingOf(entries);
    const forwards = entries.map((_, place) => place + 1);
    for (const count of [0, ...forwards, ...forwards.toReversed(), 1, entries.length]) {
      deepStrictEqual(recording.state(recording.after(count)), fold(entries.slice(0, count)));
    }
  });

  it("shows a state that later seeking does not change", () => {
    const entries = entriesOf("plain");
    const recording = recordingOf(entries);
    const early = recording.state(recording.after(7));
    recording.state(recording.after(entries.length));
    expect(early).toStrictEqual(fold(entries.slice(0, 7)));
  });

  it("seeks in 100,000 entries by checkpoints", () => {
    const entries = long(100_000);
    const recording = recordingOf(entries);
    for (const count of [100_005, 40_123, 99_999, 6, 40_000, 40_001]) {
      const { cursor, turns } = recording.state(recording.after(count));
      expect(cursor).toBe(entries[count - 1]!.id);
      expect(turns[0]!.text.split(" ").length - 1).toBe(count - 5);
    }
  });

  it("finds the last entry of a time", () => {
    const recording = recordingOf(entriesOf("plain"));
    const { at } = recording.entries[9]!;
    expect(recording.when(at).count).toBe(10);
    expect(recording.when(at - 0.001).count).toBe(9);
    expect(recording.when(0).count).toBe(0);
    expect(recording.when(Infinity).count).toBe(recording.entries.length);
  });

  it("tells an entry in the parts it was made of, by code points", () => {
    const entries = entriesOf("letters");
    const place = entries.findIndex((entry) => "chunks" in entry);
    const entry = entries[place] as Extract<Entry, { type: "turn.delta" }>;
    const texts = entry.chunks!.map(([, milliseconds]) => {
      const part = told(entry, entry.at + milliseconds / 1000 + 0.0001);
      return "text" in part ? part.text : "";
    });
    expect(texts.map((text) => [...text].length)).toEqual([6, 12, 19, 32]);
    expect(texts[2]).toBe("naïve 𝒜 and 👩‍👩‍👧‍👦");
    expect(told(entry, lastAt(entry))).toBe(entry);

    const recording = recordingOf(entries);
    const half = recording.state({ count: place + 1, at: entry.at + 0.1 });
    expect(half.turns[0]!.text).toBe("naïve 𝒜 and ");
    expect(half.cursor).toBe(entry.id);
  });
});

describe("turns spoken at once", () => {
  // Ada's parts come at 0, 400 and 900 ms, Ben's at 100, 500 and 1100 ms: their entries overlap in time.
  const telling = new Telling("Ada", "Ben").queue(1, "Ada", "Ben").start(1, 2);
  telling.say(1, "one two three", [[3, 0], [4, 400], [6, 900]]);
  const start = telling.at;
  telling.say(2, "uno due tre", [[3, 0], [4, 400], [4, 1000]], 0.1);
  telling.end(1, "one two three", 0.95).end(2, "uno due tre", 0.5);
  const recording = recordingOf(telling.entries);

  it.each([
    [0.05, "one", ""], [0.15, "one", "uno"], [0.45, "one two", "uno"], [0.55, "one two", "uno due"],
    [0.95, "one two three", "uno due"], [1.07, "one two three", "uno due"], [1.12, "one two three", "uno due tre"],
  ])("are told as they were said, after %f s, in any order of seeking", (seconds, ada, ben) => {
    for (const before of [0, 9, seconds]) {
      recording.state(recording.when(start + before));
      const { turns } = recording.state(recording.when(start + seconds));
      expect(turns.map(({ text }) => text)).toEqual([ada, ben]);
    }
  });

  it("are whole at the moment of an entry", () => {
    for (let count = 0; count <= telling.entries.length; count++) {
      deepStrictEqual(recording.state(recording.after(count)), fold(telling.entries.slice(0, count)));
    }
  });

  it("never skip words, however far their times were moved apart", () => {
    // Of a later entry of the same turn, which the log may have been given an earlier time than its parts'.
    const late = new Telling("Ada", "Ben").queue(1, "Ada", "Ben").start(1, 2);
    late.say(1, "one two", [[3, 0], [4, 5000]]).say(2, "uno", undefined, 0).say(1, " three", undefined, 0.5);
    expect(recordingOf(late.entries).state({ count: late.entries.length, at: late.at }).turns[0]!.text).toBe("one two three");
  });

  it("are under way in overlapping times of the axis, and each has its lane", () => {
    const whole = fold(telling.entries);
    const axis = axisOf(whole, whole.at);
    expect(axis.length).toBeCloseTo(whole.at - whole.opened_at);
    const [ada, ben] = barsOf(whole, axis, new Map(), whole.at);
    expect([ada!.lane, ben!.lane]).toEqual([0, 1]);
    expect(ben!.from).toBeLessThan(ada!.to);
  });
});

describe("table time", () => {
  it("shortens silence, and never moves what came before", () => {
    const entries = entriesOf("rest");
    const whole = fold(entries);
    const axis = axisOf(whole, whole.at);
    expect(whole.at - whole.opened_at).toBeGreaterThan(3600);
    expect(axis.length).toBeLessThan(30);
    for (let cut = 2; cut <= entries.length; cut++) {
      const part = fold(entries.slice(0, cut));
      const early = axisOf(part, part.at);
      for (const turn of part.turns.filter((turn) => turn.started_at)) {
        expect(early.toTable(turn.started_at)).toBeCloseTo(axis.toTable(turn.started_at), 9);
      }
    }
  });

  it("goes there and back", () => {
    const transcript = fold(entriesOf("rest"));
    const axis = axisOf(transcript, transcript.at);
    for (let time = 0; time <= axis.length; time += 0.37) {
      expect(axis.toTable(axis.toWall(time))).toBeCloseTo(time, 5);
    }
    expect(axis.toTable(0)).toBe(0);
    expect(axis.toWall(1e9)).toBe(transcript.at);
  });
});
