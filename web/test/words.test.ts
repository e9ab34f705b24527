import { describe, expect, it } from "vitest";
import type { House, ProviderStatus } from "../src/api";
import { ago, clock, dollars, span, spending } from "../src/figures";
import type { Turn } from "../src/protocol.gen";
import { fold } from "../src/reduce";
import { floorOf } from "../src/scene";
import { announcement, columnWord, destinations, endReason, failureNote, floorWords, listed, modelLabel, personaShort, reasonNote } from "../src/words";
import { Telling } from "./atonce";
import { transcriptOf } from "./golden";

function provider(name: string, local: boolean, destination: string): ProviderStatus {
  return { name, title: name, usable: true, local, destination, detail: "", hint: "", models: [] };
}

const HOUSE: House = {
  providers: [
    provider("openai", false, "OpenAI"), provider("gemini", false, "Google"), provider("ollama", true, "this machine"),
    provider("scripted", true, "this machine"),
  ],
  default_panel: [], demo: false, policies: [], limits: {},
};

const seat = (model: string) => ({ name: "x", model, persona: "", options: {}, role: "" as const, fallback: [], tools: [] });

describe("who will see the text", () => {
  it.each([
    [["openai:gpt-5.4", "gemini:gemini-3.5-flash", "openai:o9"], "Your question goes to OpenAI and Google."],
    [["ollama:llama3.2", "scripted:sceptic"], "Nothing leaves this machine."],
    [["ollama:llama3.2", "openai:gpt-5.4"], "Your question goes to OpenAI."],
    [["elsewhere:model"], "Your question goes to “elsewhere:model”."],
    [[], "Nothing leaves this machine."],
  ])("of %j: %s", (models, sentence) => {
    expect(destinations(models.map(seat), HOUSE)).toBe(sentence);
  });
});

describe("names", () => {
  it.each([
    ["anthropic:claude-sonnet-4-5-20250929", "Claude Sonnet 4.5"],
    ["openai:gpt-5.4-mini", "GPT-5.4 mini"],
    ["gemini:gemini-3.5-flash", "Gemini 3.5 Flash"],
    ["ollama:llama3.1:8b", "llama3.1:8b"],
    ["openrouter:meta-llama/llama-3.3-70b-instruct", "Llama 3.3 70b Instruct"],
    ["llama:tiny.gguf", "tiny"],
    ["scripted:sceptic", "Demo voice"],
    ["constructor", "constructor"],
  ])("%s is %s", (model, label) => expect(modelLabel(model)).toBe(label));

  it("are listed as people say them", () => {
    expect([[], ["A"], ["A", "B"], ["A", "B", "C"]].map(listed)).toEqual(["", "A", "A and B", "A, B and C"]);
  });

  it("come with the first sentence of a persona", () => {
    expect(personaShort("A nurse. Asks who pays.")).toBe("A nurse.");
    expect(personaShort("Version 2.5 of a nurse")).toBe("Version 2.5 of a nurse");
  });
});

describe("why and what next", () => {
  it("says why a table ended", () => {
    expect(endReason("max_rounds", { max_rounds: 3 })).toBe("All 3 rounds were held.");
    expect(endReason("max_rounds", { max_rounds: 1 })).toBe("The one round was held.");
    expect(endReason("max_rounds", { max_rounds: 2 })).toBe("Both rounds were held.");
    expect(endReason("max_tokens", {})).toBe("The token limit was reached.");
    expect(endReason("max_dollars", { max_dollars: 0.5 })).toBe("The limit of $0.50 was reached.");
    expect(endReason("moon_phase", {}, "it is full")).toBe("Moon phase. It is full.");
  });

  it("says who failed, why, and what happens next", () => {
    const [, half, , last, refused] = transcriptOf("failures").turns;
    expect(failureNote(half!, "next in turn")).toBe(
      "Ben was cut off. The server asked to slow down. What was said stays on record; the others are not shown it. " +
        "Ben keeps the seat and is asked again in turn.",
    );
    expect(failureNote(last!, { left: 2 })).toBe("Ben left the table. The server asked to slow down. The others go on.");
    expect(failureNote(refused!, { left: 1 })).toBe("Cleo left the table. The server refused the key. The other goes on.");
    expect(failureNote(refused!, { left: 0 })).toContain("Nobody is left.");
    expect(failureNote(half!, "next round")).toContain("Ben keeps the seat and is asked again in the next round.");
    expect(failureNote(half!, "no more")).toContain("The table closed before Ben was asked again.");
  });
});

it("says why a turn is whose it is", () => {
  const turn = transcriptOf("plain").turns[0]!;
  expect(["", "asked", "spoke least so far, 7 tokens"].map((reason) => reasonNote({ ...turn, reason }))).toEqual([
    "", ", asked by name", ": spoke least so far, 7 tokens",
  ]);
});

describe("several who speak at once", () => {
  const telling = new Telling("Ada", "Ben", "Cleo").queue(1, "Ada", "Ben", "Cleo").start(1, 2, 3);
  const all = floorOf(fold(telling.entries));

  it("are counted by what they do", () => {
    expect(floorWords(all)).toEqual({ name: "3 waiting", caption: "at once" });
    expect(floorWords(all.map((turn, place) => (place ? { ...turn, text: "x" } : turn)))).toEqual({ name: "2 speaking", caption: "1 waiting" });
    expect(floorWords([{ ...all[0]!, first_at: 1 }, { ...all[1]!, text: "x" }, all[2]!])).toEqual({ name: "1 speaking", caption: "1 thinking, 1 waiting" });
  });

  it.each([
    [[], all, "Ada, Ben and Cleo speak at once."],
    [[], all.slice(0, 1), "Ada has the floor."],
    [all.slice(0, 1), all, "Ben and Cleo speak too."],
    [all.slice(0, 2), all, "Cleo speaks too."],
    [all, all.slice(1), "Ada has ended. Ben and Cleo go on."],
    [all, all.slice(2), "Ada and Ben have ended. Cleo goes on."],
    [all.slice(0, 1), all.slice(1, 2), "Ben has the floor."],
    [all, [], ""], [all, all, ""],
  ])("are announced when that changes", (before, after, said) => expect(announcement(before, after)).toBe(said));

  it("are announced by turn: words alone change nothing", () => {
    expect(announcement(all, all.map((turn) => ({ ...turn, text: `${turn.text} well` })))).toBe("");
  });

  it.each([
    [{ status: "queued" }, "next"], [{}, "waiting"], [{ first_at: 1 }, "thinking"], [{ text: "x" }, "speaking"],
    [{ status: "failed" }, "could not speak"], [{ status: "failed", text: "x" }, "cut off"],
    [{ status: "cancelled" }, "skipped"], [{ status: "cancelled", text: "x" }, "stopped"], [{ status: "completed" }, ""],
  ] as [Partial<Turn>, string][])("head a column with %j as %j", (change, word) => expect(columnWord({ ...all[0]!, ...change })).toBe(word));
});

describe("figures", () => {
  it("are short and have a unit", () => {
    expect([0, 59.9, 61, 3725].map(clock)).toEqual(["0:00", "0:59", "1:01", "1:02:05"]);
    expect([0.4, 59.4, 59.6, 3600, 4800].map(span)).toEqual(["0 s", "59 s", "1 min", "1 h", "1 h 20 min"]);
    expect([0, 0.0031, 0.3, 12].map(dollars)).toEqual(["$0.00", "$0.0031", "$0.30", "$12.00"]);
  });

  it("are honest about prices", () => {
    expect(spending(0.31, 0)).toBe("$0.31");
    expect(spending(0.31, 2)).toBe("≥ $0.31");
    expect(spending(0, 2)).toBe("price unknown");
  });

  it("tell days as people do", () => {
    const now = new Date(2026, 10, 20, 12).getTime() / 1000;
    const day = 86_400;
    expect([5, 125, 7200, day, 3 * day].map((seconds) => ago(now - seconds, now))).toEqual([
      "just now", "2 minutes ago", "2 hours ago", "yesterday", "Tuesday",
    ]);
    expect(ago(now - 40 * day, now)).toBe("11 October");
    expect(ago(now - 400 * day, now)).toBe("16 October 2025");
  });
});
