import { describe, expect, it } from "vitest";
import { commonOf, differencesOf, futureOf, heardIn, pastOf } from "../src/compare";
import { forkOf, placeWords } from "../src/forks";
import type { Transcript, Turn } from "../src/protocol.gen";
import { newTranscript } from "../src/reduce";
import { seatOf } from "../src/scene";
import { transcriptOf } from "./golden";

const HOUSE = { providers: [], default_panel: [], demo: false, policies: [{ name: "debate", title: "Debate", summary: "" }], limits: {} };

function turn(number: number, panelist: string, text: string, at = number * 10): Turn {
  return { ...({} as Turn), turn: `t${number}`, panelist, text, kind: "speech", round: 1, status: "completed", queued_at: at, started_at: at + 1, ended_at: at + 2, started_seq: number * 10 + 1, seq: number * 10 };
}

function tableOf(turns: Turn[], more: Partial<Transcript> = {}): Transcript {
  return { ...newTranscript(), topic: "Why?", policy: "round_robin", panel: [seatOf("Ada", "x:a"), seatOf("Ben", "x:b")], turns, ...more };
}

describe("two futures", () => {
  const past = [turn(1, "Ada", "One."), turn(2, "Ben", "Two.")];
  const one = tableOf([...past, turn(3, "Ada", "Three.")]);
  const other = tableOf([...past, turn(3, "Ada", "Three.", 900), turn(4, "Ben", "Four.", 910)]);

  it("have in common what happened at the same moment, and not what was said alike later", () => {
    const common = commonOf(one, other);
    expect(common).toEqual({ turns: 2, messages: 0, findings: 0 });
    expect(pastOf(one, common).turns).toEqual(past);
    expect(futureOf(other, common).turns.map(({ text }) => text)).toEqual(["Three.", "Four."]);
    expect(heardIn(futureOf(other, common))).toBe(2);
  });

  it("have all in common with themselves, whatever was held there", () => {
    for (const name of ["verdict", "council", "steered"]) {
      const transcript = transcriptOf(name);
      const common = commonOf(transcript, transcript);
      expect(common.turns).toBe(transcript.turns.length);
      expect(futureOf(transcript, common).findings).toEqual([]);
      expect(differencesOf(transcript, transcript, HOUSE)).toEqual([]);
    }
  });

  it("differ in what is named, and in nothing else", () => {
    const limits = { ...one.limits, max_rounds: 3 };
    const changed = { ...other, policy: "debate", limits, panel: [seatOf("Ben", "openai:gpt-5"), seatOf("Ada", "x:a"), seatOf("Cleo", "x:c")] };
    expect(differencesOf(one, changed, HOUSE)).toEqual([
      { what: "Method", one: "round_robin", other: "Debate" },
      { what: "Limits", one: "none", other: "3 rounds" },
      { what: "Ben", one: "b", other: "GPT-5" },
      { what: "Cleo", one: "not at the table", other: "c" },
      { what: "Order", one: "Ada, Ben", other: "Ben, Ada" },
    ]);
  });
});

describe("a fork", () => {
  const past = tableOf([turn(1, "Ada", "One."), turn(2, "Ben", "Two.")], { removed: ["Dag"], panel: [seatOf("Ada", "x:a"), seatOf("Dag", "x:d")] });
  const same = { topic: "Why?", panel: [seatOf("Ada", "x:a")], policy: "round_robin", message: " ", title: "" };

  it("asks for nothing that was not changed", () => {
    expect(forkOf(past, "", same)).toEqual({});
    expect(forkOf(past, "1-20", { ...same, message: " And if? ", policy: "debate" })).toEqual({ after: "1-20", message: { text: "And if?" }, policy: "debate" });
  });

  it("sends the whole panel when a seat is another", () => {
    const panel = [seatOf(" Ada ", "x:z")];
    expect(forkOf(past, "", { ...same, panel })).toEqual({ panel: [seatOf("Ada", "x:z")] });
  });

  it("is placed by who spoke last before it", () => {
    expect(placeWords(past, 25)).toBe("After Ben’s turn in round 1");
    expect(placeWords(past, 12)).toBe("After Ada’s turn in round 1");
    expect(placeWords(past, 3)).toBe("From the beginning");
  });
});
