import { deepStrictEqual } from "node:assert";
import { describe, expect, it } from "vitest";
import type { Turn } from "../src/protocol.gen";
import { apply, copy, fold, IllegalMove, newTranscript } from "../src/reduce";
import { entriesOf, ILLEGAL, NAMES, transcriptOf } from "./golden";

describe("the fold", () => {
  it("has golden transcripts to agree with", () => expect(NAMES.length).toBeGreaterThan(7));

  it.each(NAMES)("agrees with Python on %s", (name) => {
    deepStrictEqual(fold(entriesOf(name)), transcriptOf(name)); // vitest trips over a key named "constructor"
  });

  it.each(NAMES)("goes on from a snapshot of %s at every entry", (name) => {
    const entries = entriesOf(name);
    for (let cut = 0; cut <= entries.length; cut++) {
      const snapshot = JSON.parse(JSON.stringify(fold(entries.slice(0, cut))));
      deepStrictEqual(fold(entries.slice(cut), snapshot), transcriptOf(name));
    }
  });

  it.each(ILLEGAL)("refuses $name and changes nothing", ({ scenario, after, message }) => {
    const transcript = fold(entriesOf(scenario).slice(0, after));
    const before = structuredClone(transcript);
    expect(() => apply(transcript, message)).toThrow(IllegalMove);
    expect(transcript).toStrictEqual(before);
  });

  it("refuses an entry twice, and one that comes too early", () => {
    const [first, second, third] = entriesOf("plain");
    const transcript = fold([first!, second!]);
    expect(() => apply(transcript, second!)).toThrow(IllegalMove);
    expect(() => apply(fold([first!]), third!)).toThrow(IllegalMove);
  });

  it("never changes a turn or a map it has handed out", () => {
    for (const name of NAMES) {
      const transcript = newTranscript();
      const seen: [unknown, string][] = [];
      for (const entry of entriesOf(name)) {
        apply(transcript, entry);
        const parts = [...transcript.turns, transcript.spent, transcript.absent, transcript.commands];
        seen.push(...parts.map((part): [unknown, string] => [part, JSON.stringify(part)]));
      }
      for (const [part, text] of seen) expect(JSON.stringify(part)).toBe(text);
    }
  });

  it("keeps the identity of turns that an entry does not concern", () => {
    const entries = entriesOf("plain");
    const transcript = fold(entries.slice(0, 11));
    const [before] = copy(transcript).turns as [Turn, Turn];
    apply(transcript, entries[11]!);
    expect(transcript.turns[0]).toBe(before);
  });
});
