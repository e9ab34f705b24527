// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from "vitest";
import type { House } from "../src/api";
import { type Draft, faultsOf, freshDraft, hand, keepOf, openingOf, panelName, recall, remember, seatedBy, settled } from "../src/draft";
import { purposesOf } from "../src/methods";

const seat = (name: string) => ({ name, model: "scripted:x", persona: "", options: {}, role: "" as const, fallback: [], tools: [] });
const policy = (name: string) => ({ name, title: name, summary: "" });
const HOUSE: House = {
  providers: [], default_panel: [seat("Ada"), seat("Ben")], demo: true, limits: { max_rounds: 3 },
  policies: [policy("round_robin"), policy("parallel")],
};
const DRAFT: Draft = {
  topic: "Why?", panel: [seat("Cleo"), seat("Dag")], policy: "parallel", limits: { max_rounds: 2 }, then: "rest", verdict: null, until: null, title: "", record: true,
};

describe("the form's draft", () => {
  beforeEach(() => localStorage.clear());

  it("is remembered, and fresh at first", () => {
    expect(recall(HOUSE)).toEqual(freshDraft(HOUSE));
    remember(DRAFT);
    expect(recall(HOUSE)).toEqual(DRAFT);
  });

  it("keeps no question that is meant for no record", () => {
    remember({ ...DRAFT, record: false });
    expect(recall(HOUSE)).toEqual({ ...DRAFT, topic: "" });
    expect(JSON.stringify(localStorage)).not.toContain("Why?");
  });

  it("is handed over once, and written nowhere", () => {
    hand({ ...DRAFT, record: false });
    expect(localStorage.length).toBe(0);
    expect(recall(HOUSE)).toEqual({ ...DRAFT, record: false });
    expect(recall(HOUSE)).toEqual(freshDraft(HOUSE));
  });

  it("names a policy that this server has", () => {
    remember({ ...DRAFT, policy: "gone" });
    expect(recall(HOUSE).policy).toBe("round_robin");
    expect(freshDraft({ ...HOUSE, policies: [] }).policy).toBe("round_robin");
  });

  it("asks for no record only where that is wanted", () => {
    expect(openingOf(DRAFT)).not.toHaveProperty("record");
    expect(openingOf({ ...DRAFT, topic: " Why? ", record: false })).toMatchObject({ topic: "Why?", record: false });
  });

  it("leaves verdict, ends and what comes then to the method, unless somebody chose", () => {
    const ends = { convergence: 0.3, consensus: false, loop: true, passes: false };
    const delphi = { ...policy("delphi"), verdict: true, until: ends, least: 3 };
    const free: Draft = { ...DRAFT, then: "" };
    expect(settled(free, delphi)).toEqual({ verdict: true, until: ends, then: "rest" });
    expect(settled(free, policy("parallel"))).toMatchObject({ verdict: false, then: "close" });
    expect(settled({ ...free, verdict: false, then: "rest" }, delphi)).toMatchObject({ verdict: false, then: "rest" });
    expect(openingOf({ ...free, title: " Letters " }, delphi)).toMatchObject({ title: "Letters", verdict: true, then: "rest" });
    expect(openingOf(free, delphi)).not.toHaveProperty("title");
  });

  it("says when the method needs more voices, or an office is held twice", () => {
    const few = { ...policy("delphi"), least: 3 };
    expect(faultsOf(DRAFT, few)["panel"]).toBe("“delphi” takes 3 panelists or more; 2 take part here.");
    const chairs = [seat("Ada"), { ...seat("Ben"), role: "chair" as const }, { ...seat("Cleo"), role: "chair" as const }];
    expect(faultsOf({ ...DRAFT, panel: chairs })).toEqual({ "panel[2]": "A table has one chair." });
  });

  it("sends no fallback that was left empty", () => {
    const panel = [{ ...seat("Ada"), fallback: [" openai:x ", ""] }, seat("Ben")];
    expect(openingOf({ ...DRAFT, panel }).panel[0]!.fallback).toEqual(["openai:x"]);
  });

  it("is offered methods by what they are for, those of others last", () => {
    const names = ["round_robin", "parallel", "debate", "elsewhere"];
    expect(purposesOf(names.map(policy)).map(({ methods }) => methods.map(({ name }) => name))).toEqual([["round_robin"], ["parallel"], ["debate"], ["elsewhere"]]);
  });
});

describe("a panel that is kept", () => {
  it("holds all but the question, and leaves to its method what the draft does", () => {
    expect(keepOf(DRAFT)).toEqual({ panel: DRAFT.panel, policy: "parallel", limits: { max_rounds: 2 }, then: "rest" });
    expect(keepOf({ ...DRAFT, verdict: true })).toMatchObject({ verdict: true });
  });

  it("is seated again under another question", () => {
    const kept = { name: "review", source: "saved" as const, ...keepOf(DRAFT), verdict: null, until: null };
    const draft = seatedBy({ ...freshDraft(HOUSE), topic: "And now?" }, kept);
    expect(draft).toEqual({ ...DRAFT, topic: "And now?" });
  });

  it("has a name without blanks", () => {
    expect(panelName("  my  review ")).toBe("my-review");
  });
});
