import { describe, expect, it } from "vitest";
import { type Call, Chronicle } from "../src/chronicle";
import { callsAt, callWords, partsOf } from "../src/calls";
import { chartOf, dispersionOf } from "../src/dispersion";
import { found } from "../src/findings";
import { isPass } from "../src/kinds";
import { isUnderWay, progressOf, slipsOf, slipWords, stackLine, stacksOf } from "../src/paper";
import { moveWords, positionsOf, silentOn, standingOf } from "../src/positions";
import type { Transcript } from "../src/protocol.gen";
import { type Entry, fold } from "../src/reduce";
import { floorOf, handsOf, paperOf, sharesOf } from "../src/scene";
import { type Line, scriptOf } from "../src/script";
import { stressOf, stressWords, variationWords } from "../src/stress";
import { barsOf, tallyOf, winnerWords } from "../src/tally";
import { headerWords, missingWords, verdictOf } from "../src/verdict";
import { council, debate, delphi, LETTERS, Method, METHODS, moderated, panelOf, raise_hand, red_team, steered } from "./methods";

function chronicleOf(entries: Entry[]): Chronicle {
  const chronicle = new Chronicle();
  for (const entry of entries) chronicle.add(entry);
  return chronicle;
}

function linesOf(entries: Entry[]): Line[] {
  const { notes } = chronicleOf(entries);
  return scriptOf(fold(entries), notes).lines;
}

function papers(entries: Entry[]): string[] {
  return stacksOf(fold(entries)).map(stackLine);
}

/** Just after the n-th entry of that type. */
function after(entries: Entry[], type: Entry["type"], nth = 1): Transcript {
  let left = nth;
  return fold(entries.slice(0, entries.findIndex((entry) => entry.type === type && --left === 0) + 1));
}

describe.each(Object.entries(METHODS))("the script of %s", (_, make) => {
  const entries = make();
  const { notes } = chronicleOf(entries);

  it("only ever grows at its end", () => {
    const linesAt = (count: number) => scriptOf(fold(entries.slice(0, count)), notes.filter(({ seq }) => seq <= count)).lines;
    const isSilent = (line: Line) => line.kind === "turn" && line.turn.status === "started" && line.turn.text === "";
    for (let count = 1; count <= entries.length; count++) {
      const later = linesAt(count).map(({ key }) => key);
      linesAt(count - 1).forEach((line, place) => {
        expect(isSilent(line) ? [line.key, `${line.key}-`] : [line.key]).toContain(later[place]);
      });
    }
  });

  it("sets every turn that began once, and paperwork apart from words", () => {
    const turns = linesOf(entries).flatMap((line) => {
      if (line.kind === "turn") return [line.turn.turn];
      if (line.kind === "columns") return line.columns.map(({ turn }) => turn.turn);
      return line.kind === "paper" ? line.stack.turns.map(({ turn }) => turn) : [];
    });
    expect(turns.sort()).toEqual(fold(entries).turns.filter(({ started_at }) => started_at > 0).map(({ turn }) => turn).sort());
  });
});

describe("paperwork", () => {
  it("is a line for what was asked for together", () => {
    expect(papers(moderated())).toEqual([
      "Mira gives Ada the floor: the ward goes first.",
      "Mira gives Ben the floor: he has the failure rates, and nobody has asked for them.",
      "Mira named nobody who can speak.",
    ]);
    expect(papers(raise_hand())).toEqual([
      "Bids: Ben 8, Ada 6, Dag 3; none by Cleo.",
      "Bids: Cleo 9, Ada 7, Dag 7.",
      "Bids: Cleo 9, Ada 5; none by Ben.",
    ]);
    expect(papers(debate())).toEqual(["Votes before the debate: for 1, against 3.", "Votes after the debate: for 3, against 1."]);
    expect(papers(council())).toEqual(["Ada, Ben and Cleo ranked the answers, without names."]);
    expect(papers(red_team())).toEqual([
      "Ada read where everyone stands: 4 stances, 2 new claims.",
      "Ada read where everyone stands: 6 stances, 1 new claim. Ben and Cleo moved.",
    ]);
  });

  it("says how far it is while it is waited for", () => {
    const entries = raise_hand();
    const transcript = after(entries, "bid.made", 7); // one of three, in the third stack
    const stack = paperOf(transcript)!;
    expect(stackLine(stack)).toBe("Bids: 1 of 3 are in.");
    expect(progressOf(stack)).toMatchObject({ word: "bids", done: 1, of: 3 });
    expect(slipsOf(stack).map(slipWords)).toEqual(["bids 5 of 10.", "has not answered yet.", "has not answered yet."]);
    expect(paperOf(fold(entries))).toBeUndefined();
  });

  it("tells what could not be read, and that it was asked for once more", () => {
    const transcript = fold(moderated());
    const last = stacksOf(transcript).at(-1)!;
    expect(slipsOf(last).map(slipWords)).toEqual(["could not be read, twice. Nobody named Zed sits here."]);
    expect(isUnderWay(last)).toBe(false);
    expect(slipsOf(stacksOf(fold(council()))[0]!).map(slipWords)[3]).toBe("did not answer. The model on this machine ran out of memory.");
  });

  it("takes no floor and no share of the words", () => {
    const transcript = after(moderated(), "turn.delta");
    expect(floorOf(transcript)).toEqual([]);
    expect(sharesOf(fold(moderated())).get("Mira")).toBe(0);
  });
});

describe("a stress test", () => {
  const variation = (name: string, winner: string, read = true) => ({ name, winner, judge: "Ada", detail: winner ? "" : "Ada gave no ranking", read });
  const stress = { winner: "Ben", survives: false, variations: [variation("as_shown", "Ben"), variation("order_swapped", "Ada"), variation("borda", "", false)] };

  it("says whether the winner survives, and what speaks against it", () => {
    expect(stressWords(stress)).toBe("Ben does not survive: another wins, or nobody, with order swapped.");
    expect(stressWords({ ...stress, survives: true })).toBe("Ben wins every way it was judged and counted.");
    expect(stressWords({ ...stress, survives: null })).toBe("Whether Ben survives is not known.");
    expect(stress.variations.map(variationWords)).toEqual(["Ben", "Ada", "Ada gave no ranking."]);
  });

  it("is the last one, and none where none was asked for", () => {
    const transcript = fold(council());
    expect(stressOf(transcript)).toBeNull();
    const finding = { type: "stress.tested", ...stress } as never;
    expect(stressOf({ findings: [...transcript.findings, { seq: 99, at: 0, finding }] })).toMatchObject({ winner: "Ben" });
  });
});

it("two rankings of one panelist are two, a second try is one", () => {
  const table = new Method({ policy: "council", panel: panelOf("Ada", "Ben") }).begin(1);
  for (const ranking of [["Ada", "Ben"], ["Ben", "Ada"]]) {
    const turn = table.turn("ballot", "Ada", "{}");
    table.read("ballot.cast", turn, "Ada", { ranking, shown: [] });
  }
  const odd = table.turn("ballot", "Ben", "?");
  table.read("turn.unread", odd, "Ben", { kind: "ballot", detail: "No ranking." }).turn("ballot", "Ben", "{}");
  const slips = slipsOf(stacksOf(fold(table.entries))[0]!);
  expect(slips.map(({ turn, again }) => [turn.panelist, again])).toEqual([["Ada", false], ["Ada", false], ["Ben", true]]);
});

it("what did not change is the same line", () => {
  const before = linesOf(raise_hand());
  const transcript = fold(raise_hand());
  const once = scriptOf(transcript, []).lines.filter(({ kind }) => kind === "paper");
  const twice = scriptOf({ ...transcript }, []).lines.filter(({ kind }) => kind === "paper");
  expect(once.map((line, place) => line === twice[place])).toEqual([true, true, true]);
  expect(before.map(({ key }) => key)).toContain(once[0]!.key);
});

it("a pass is no speech", () => {
  const status = "completed" as const;
  expect(["PASS", " pass.", "[Pass]", "**PASS**"].map((text) => isPass({ text, status }))).toEqual([true, true, true, true]);
  expect(["", "Pass the salt.", "I pass"].map((text) => isPass({ text, status }))).toEqual([false, false, false]);
  expect(isPass({ text: "PASS", status: "started" })).toBe(false); // it may go on
});

describe("positions", () => {
  const transcript = fold(red_team());

  it("are the latest of each, and say who has not said", () => {
    const { claims, rounds } = positionsOf(transcript);
    expect(rounds).toEqual([1, 2]);
    expect(standingOf(claims[0]!)).toEqual({ supports: ["Ada", "Ben"], opposes: ["Cleo"], unsure: [] });
    expect(silentOn(standingOf(claims[0]!), ["Ada", "Ben", "Cleo", "Dag"])).toEqual(["Dag"]);
  });

  it("are those of an earlier round when asked", () => {
    const { claims } = positionsOf(transcript, 1);
    expect(claims.map(({ claim }) => claim)).toEqual(["c1", "c2"]);
    expect(standingOf(claims[0]!)).toEqual({ supports: ["Ada"], opposes: ["Ben"], unsure: ["Cleo"] });
  });

  it("tell who moved whom, and flag a move without a new argument", () => {
    const { moves } = positionsOf(transcript).claims[0]!;
    expect(moves.map(moveWords)).toEqual([
      "Ben moved from against it to for it in round 2, after Ada.",
      "Cleo moved from unsure to against it in round 2.",
    ]);
    expect(moves.map(({ fresh }) => fresh)).toEqual([true, false]);
  });

  it("begin anew when a later sitting numbers its claims from one", () => {
    const entries = red_team().slice(0, -1);
    const seq = entries.length;
    const claim = { type: "claim.made", claim: "c1", text: "Another question.", by: "", turn: "", round: 3, at: 2e9 };
    const { claims } = positionsOf(fold([...entries, { ...claim, id: `1763675000000-${seq + 1}` } as Entry]));
    expect(claims.map(({ text }) => text)).toEqual(["Another question."]);
  });

  it("name people and claims as they please", () => {
    const table = new Method({ policy: "x", panel: [{ ...panelOf("Ada")[0]!, name: "__proto__" }] });
    table.note("claim.made", { claim: "constructor", text: "Odd.", by: "", turn: "" });
    table.add("stance.taken", { turn: "t1", panelist: "__proto__", round: 1, claim: "constructor", stance: "oppose", reason: "", moved: false, moved_by: "", new_argument: true });
    expect(standingOf(positionsOf(fold(table.entries)).claims[0]!).opposes).toEqual(["__proto__"]);
  });
});

describe("a tally", () => {
  it("has a bar each, and says where the rules differ", () => {
    const tally = tallyOf(fold(council()))!;
    expect(barsOf(tally).map(({ name, part }) => [name, Math.round(part * 100)])).toEqual([["Dag", 100], ["Ada", 89], ["Cleo", 44], ["Ben", 11]]);
    expect(winnerWords(tally)).toEqual(["Most points: Dag, of 3 ballots.", "In pairs Ada beats every other: the rules differ."]);
  });

  it("of votes says what the debate moved", () => {
    const tally = tallyOf(fold(debate()))!;
    expect(barsOf(tally).map(({ name, swing }) => [name, swing])).toEqual([["for", 2], ["against", -2]]);
    expect(winnerWords(tally)).toEqual(["Most votes: for."]);
    expect(winnerWords({ ...tally, winner: "", swing: { for: 0, against: 0 } })).toEqual(["The vote is tied.", "The debate moved no vote."]);
  });

  it("is none while nothing was counted, and of nobody is no crash", () => {
    expect(tallyOf(fold(delphi()))).toBeNull();
    expect(barsOf({ ...tallyOf(fold(council()))!, scores: {} })).toEqual([]);
    expect(barsOf({ ...tallyOf(fold(council()))!, scores: { Ada: 0 } })[0]!.part).toBe(0);
  });
});

describe("dispersion", () => {
  it("is a point a round, with the threshold and when it was reached", () => {
    const dispersion = dispersionOf(fold(delphi()))!;
    expect(dispersion).toMatchObject({ method: "lexical", threshold: 0.3, reached: 3 });
    const { points, threshold } = chartOf(dispersion, 200, 100, 10);
    expect(points.map(({ x }) => x)).toEqual([10, 100, 190]);
    expect(points[0]!.y).toBeLessThan(points[2]!.y); // 1 is above
    expect(threshold).toBeGreaterThan(points[1]!.y);
  });

  it("puts a single round in the middle, and does not compare two measures", () => {
    const dispersion = { ...dispersionOf(fold(delphi()))!, points: [{ round: 4, value: 3, voices: 2 }] };
    expect(chartOf(dispersion, 200, 100, 10).points[0]).toMatchObject({ x: 100, y: 10 });
    const entries = delphi();
    const seq = entries.length;
    const other = { type: "entropy", value: 0.5, method: "embedding", model: "m", voices: 3, round: 4, at: 2e9, id: `1763675000000-${seq}` };
    expect(dispersionOf(fold([...entries.slice(0, -1), other as Entry]))!.points).toHaveLength(1);
  });
});

describe("the verdict", () => {
  it("is to come, is written, is given", () => {
    const entries = delphi();
    expect(verdictOf(after(entries, "turn.delta"))).toEqual({ state: "coming", text: "After round 4, from all 3." });
    expect(verdictOf(after(entries, "table.concluding"))).toMatchObject({ state: "writing", chair: "", why: "The answers had come close to each other. The verdict comes next." });
    expect(verdictOf(fold(entries))).toMatchObject({ state: "given" });
    expect(verdictOf(fold(moderated()))).toBeNull();
  });

  it("without a synthesis says why, once, and stands by itself in the script", () => {
    const entries = council();
    const [verdict] = found(fold(entries), "verdict.given");
    expect(headerWords(verdict!)).toBe("4 of 4 answered.");
    expect(missingWords(verdict!)).toBe("No synthesis: the chair failed.");
    expect(linesOf(entries).map(({ kind }) => kind)).toContain("verdict");
    expect(linesOf(debate()).map(({ kind }) => kind)).not.toContain("verdict");
  });
});

describe("the floor", () => {
  const entries = steered();
  const chronicle = chronicleOf(entries);

  it("notes who came, went, and was asked to wait", () => {
    const texts = chronicle.notes.map(({ text }) => text);
    expect(texts).toEqual([
      "Ada did not answer. The server asked to slow down. GPT-5.1 mini speaks instead.",
      "Rosa raised a hand. Once whoever speaks has ended, nobody begins until something is said, for at most 1 min.",
      "Ben is muted, and gets no turns.",
      "Dag takes a seat: llama3.1:8b.",
      "The table is called “Letters” now.",
      "From here on at most 4 rounds and $0.50.",
      "Cleo left the table at a person’s wish. What was said stays.",
    ]);
  });

  it("knows who waits, and since when", () => {
    const transcript = after(entries, "hand.raised");
    expect(handsOf(transcript, chronicle.notes)).toEqual([{ author: "Rosa", since: transcript.at, within: 60 }]);
    expect(handsOf(transcript, [])).toEqual([{ author: "Rosa", since: 0, within: 0 }]);
  });

  it("keeps tool calls where they were made, and as far as a moment knows them", () => {
    const calls = chronicle.calls.get("t1")!;
    expect(calls.map(({ name, arguments: asked, result }) => [name, asked, result?.error])).toEqual([
      ["letters.search", '{"query": "missed interaction"}', false], ["letters.read", '{"id": 7}', true],
    ]);
    const { text } = fold(entries).turns[0]!;
    const parts = partsOf(text, calls);
    expect(parts.map(({ kind }) => kind)).toEqual(["call", "words", "call", "words"]);
    expect(parts.flatMap((part) => (part.kind === "words" ? [part.text] : [])).join("")).toBe(text);
    const early = callsAt(calls, calls[0]!.seq);
    expect(early).toHaveLength(1);
    expect(callWords(early[0]!, true)).toBe("Uses letters.search");
    expect(calls.map((call) => callWords(call, false))).toEqual(["Used letters.search, 2 s, result cut short.", "Used letters.read: it failed."]);
  });

  it("loses no word of a text that is shorter than its calls say", () => {
    const call: Call = { call: "c", name: "x", seq: 1, after: 99, arguments: "" };
    const words = partsOf("Short.", [call, { ...call, after: 3 }]).flatMap((part) => (part.kind === "words" ? [part.text] : []));
    expect(words.join("")).toBe("Short.");
  });
});

it("the fixtures ask what everyone asks", () => expect(fold(council()).topic).toBe(LETTERS));

describe("a table at rest", () => {
  it("is not said to be restarted when something is asked of it", () => {
    const table = new Method({ policy: "council", panel: panelOf("Ada", "Ben") });
    table.add("table.rested", { reason: "ranked" }).add("term.began", { owner: "node", lost: 0 }).add("stress.requested");
    expect(chronicleOf(table.entries).notes.at(-1)!.text).toContain("asked for a stress test");
    expect(chronicleOf(table.entries).notes.map(({ text }) => text).join()).not.toContain("restarted");
    table.add("term.began", { owner: "node", lost: 0 }); // while it is held, it was
    expect(chronicleOf(table.entries).notes.at(-1)!.text).toContain("restarted");
  });
});
