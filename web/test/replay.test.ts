import { deepStrictEqual } from "node:assert";
import { describe, expect, it } from "vitest";
import { axisOf } from "../src/axis";
import { fold } from "../src/reduce";
import { lastAt, Recording, told } from "../src/replay";
import { type Entry } from "../src/reduce";
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
