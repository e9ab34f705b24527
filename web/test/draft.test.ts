// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from "vitest";
import type { House } from "../src/api";
import { type Draft, freshDraft, hand, openingOf, recall, remember } from "../src/draft";

const seat = (name: string) => ({ name, model: "scripted:x", persona: "", options: {}, role: "" as const, fallback: [], tools: [] });
const policy = (name: string) => ({ name, title: name, summary: "" });
const HOUSE: House = {
  providers: [], default_panel: [seat("Ada"), seat("Ben")], demo: true, limits: { max_rounds: 3 },
  policies: [policy("round_robin"), policy("parallel")],
};
const DRAFT: Draft = {
  topic: "Why?", panel: [seat("Cleo"), seat("Dag")], policy: "parallel", limits: { max_rounds: 2 }, then: "rest", record: true,
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
});
