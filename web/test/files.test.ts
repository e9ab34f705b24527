import { describe, expect, it } from "vitest";
import { partsOf, usesOf } from "../src/calls";
import { weight } from "../src/figures";
import { fileWords, MAX_FILE, refusal } from "../src/files";
import { digestWords, roleWord } from "../src/lens";
import { Recording } from "../src/replay";
import { entriesOf, transcriptOf } from "./golden";

describe("a file", () => {
  it("is told by its size, its pages and what was left out", () => {
    expect(fileWords({ size: 340, pages: 0, cut: false })).toBe("340 B");
    expect(fileWords({ size: 3_240_000, pages: 12, cut: true })).toBe("3.2 MB, 12 pages, cut short");
    expect([999, 1000, 999_499, 999_500].map(weight)).toEqual(["999 B", "1 kB", "999 kB", "1.0 MB"]);
  });

  it("is not read into this page when the server would not take it", () => {
    expect(refusal({ name: "a.txt", size: 0 })).toBe("a.txt is empty.");
    expect(refusal({ name: "a.txt", size: MAX_FILE })).toBe("");
    expect(refusal({ name: "a.txt", size: MAX_FILE + 1 })).toBe("a.txt has 5.2 MB; at most 5 MiB are taken.");
  });
});

describe("tools of a turn whose recording is not here", () => {
  it("stand before her words, each with what came back", () => {
    const turn = transcriptOf("tools").turns.find(({ uses }) => uses.some(({ done }) => done))!;
    const calls = usesOf(turn);
    expect(calls.map(({ name }) => name)).toEqual(turn.uses.map(({ name }) => name));
    expect(calls.find(({ result }) => result)?.result?.text).toBe(turn.uses.find(({ done }) => done)!.text);
    expect(partsOf(turn.text, calls).slice(0, calls.length).every(({ kind }) => kind === "call")).toBe(true);
    expect(usesOf(turn)).toBe(calls);
  });
});

describe("a recording", () => {
  it("tells how the table was when a turn had ended", () => {
    const recording = new Recording();
    entriesOf("plain").forEach((entry) => recording.add(entry));
    const then = recording.endOf("t1");
    expect(then.turns[0]!.status).toBe("completed");
    expect(then.turns.slice(1).every(({ ended_at }) => ended_at === 0)).toBe(true);
    expect(() => recording.endOf("t999")).toThrow(RangeError);
  });
});

describe("the lens", () => {
  it("says whether it shows what was sent", () => {
    expect(digestWords({ digest: "ab", matches: true })).toContain("Word for word");
    expect(digestWords({ digest: "ab", matches: false })).toContain("Not what was sent");
    expect(digestWords({ digest: "", matches: false })).toContain("nothing proves");
    expect(roleWord("assistant", "Ada")).toBe("What Ada had said");
  });
});
