import { describe, expect, it } from "vitest";
import { axisOf } from "../src/axis";
import { Chronicle } from "../src/chronicle";
import { apart, barsOf, horizonOf, legible, roundsOf } from "../src/lanes";
import { type Entry, fold } from "../src/reduce";
import { floorOf, nextOf, sharesOf, spendingOf, wordsIn } from "../src/scene";
import { afterOf, departures, type Line, opensWith, scriptOf } from "../src/script";
import { Telling } from "./atonce";
import { entriesOf, NAMES } from "./golden";

function chronicleOf(name: string): Chronicle {
  const chronicle = new Chronicle();
  for (const entry of entriesOf(name)) chronicle.add(entry);
  return chronicle;
}

describe("the script", () => {
  it("puts turns, messages and notes in the order in which they began", () => {
    const { lines } = scriptOf(fold(entriesOf("people")), chronicleOf("people").notes);
    expect(lines.map(({ key }) => key)).toEqual(["t1", "m6", "m9", "t2", "n12", "n16"]);
  });

  it("says what the Transcript does not keep", () => {
    const texts = ["failures", "rest", "takeover"].flatMap((name) => chronicleOf(name).notes.map(({ text }) => text));
    expect(texts).toEqual([
      "Ada did not answer. The server asked to slow down. Asking again in 2 s, try 2.",
      "The one round was held. The table rests; a question wakes it.",
      "The table woke. Its limits count anew.",
      "The one round was held. The table rests; a question wakes it.",
      "The server was restarted, and the table goes on from what it had written. The store lost its last 2 entries.",
    ]);
  });

  it("tells of a turn skipped in the queue where that was done, not where it was queued", () => {
    const opened = entriesOf("plain").slice(0, 2);
    const seq = opened.length;
    const at = (place: number) => ({ id: `1763675000000-${seq + place}`, at: 1763675001 + place });
    const whose = { turn: "t1", panelist: "Ben" };
    const usage = { input: 0, output: 0, cached: 0, thinking: 0 };
    const entries = [
      ...opened,
      { ...at(1), type: "turn.queued", ...whose, kind: "speech", round: 1, reason: "" },
      { ...at(2), type: "message.posted", message: "m", author: "Host", text: "Wait.", to: "" },
      { ...at(3), type: "turn.cancelled", ...whose, attempt: 1, text: "", reason: "command", usage, cost: null },
    ] as Entry[];
    const chronicle = new Chronicle();
    for (const entry of entries) chronicle.add(entry);
    const { lines } = scriptOf(fold(entries), chronicle.notes);
    expect(lines.map(({ kind }) => kind)).toEqual(["message", "note"]);
    expect(chronicle.notes.at(-1)!.text).toBe("A person skipped Ben’s next turn.");
  });

  it("keeps a line's object while its turn is unchanged", () => {
    const transcript = fold(entriesOf("plain"));
    expect(scriptOf(transcript, []).lines[0]).toBe(scriptOf(transcript, []).lines[0]);
  });

  it.each(NAMES)("lets the same people leave as the fold, in %s", (name) => {
    const transcript = fold(entriesOf(name));
    const { turns, absent } = transcript;
    const left = departures(transcript);
    const last = new Map(turns.map((turn) => [turn.panelist, turn.turn]));
    const gone = turns.filter(({ turn, panelist }) => left.has(turn) && last.get(panelist) === turn).map(({ panelist }) => panelist);
    expect(new Set(gone)).toEqual(new Set(Object.keys(absent)));
  });

  it("knows what followed a turn that failed", () => {
    const telling = new Telling("Ada", "Ben").queue(1, "Ada", "Ben").start(1, 2).fail(1, "So").end(2, "Yes.");
    const followed = () => {
      const transcript = fold(telling.entries);
      return transcript.turns.filter(({ status }) => status === "failed").map((turn) => afterOf(transcript)(turn, turn.round === 1));
    };
    expect(followed()).toEqual(["next round"]);
    telling.queue(2, "Ada").start(3).fail(3, "And");
    expect(followed()).toEqual(["next round", "next in turn"]);
    telling.add("table.closed", { reason: "command", detail: "" });
    expect(followed()).toEqual(["next round", "no more"]);
  });
});

/** A line in short: a turn, `[its columns]/places` with what they answer, a message. */
function short(line: Line): string {
  if (line.kind !== "columns") return line.key;
  return `[${line.columns.map(({ turn, asked }) => (asked ? `m${asked.seq}>` : "") + turn.turn).join(" ")}]/${line.places}`;
}

function scriptAfter(telling: Telling): string {
  const { lines, meanwhile } = scriptOf(fold(telling.entries), []);
  return [...lines.map(short), ...meanwhile.map((line) => `(${short(line)})`)].join(" ");
}

describe("turns that are spoken at once", () => {
  const round = () => new Telling("Ada", "Ben", "Cleo").queue(1, "Ada", "Ben", "Cleo").start(1, 2, 3);

  it("stand side by side as they were queued, whoever speaks or ends first", () => {
    const telling = round().say(3, "C").say(1, "A");
    expect(scriptAfter(telling)).toBe("[t1 t2 t3]/3");
    telling.end(3, "C").end(2, "").end(1, "A").queue(2, "Ada", "Ben", "Cleo").start(4, 5, 6);
    expect(scriptAfter(telling)).toBe("[t1 t2 t3]/3 [t4 t5 t6]/3");
  });

  it("keep a place for those of the round who begin later, and for one who never does", () => {
    const telling = new Telling("Ada", "Ben", "Cleo").queue(1, "Ada", "Ben", "Cleo").start(1, 2);
    expect(scriptAfter(telling)).toBe("[t1 t2 t3]/3");
    expect(scriptAfter(telling.end(1, "A").end(2, "B"))).toBe("[t1 t2 t3]/3");
    expect(scriptAfter(telling.cancel(3))).toBe("[t1 t2 t3]/3");
  });

  it("have a column for one who failed before the next was asked", () => {
    const telling = new Telling("Ada", "Ben", "Cleo").queue(1, "Ada", "Ben", "Cleo").start(1).fail(1).start(2, 3);
    expect(scriptAfter(telling)).toBe("[t1 t2 t3]/3");
  });

  it("are joined at the end, and no column grows narrower by it", () => {
    const telling = round().say(2, "B").end(1, "A").ask("Ada").queue(1, "Ada").start(4);
    expect(scriptAfter(telling)).toBe("[t1 t2 t3 m11>t4]/3");
    expect(scriptAfter(telling.end(2, "B").end(3, "C").end(4, "D").ask())).toBe("[t1 t2 t3 m11>t4]/3 m17");
  });

  it("let turns that follow each other be lines of their own, at the same second even", () => {
    const telling = new Telling("Ada", "Ben").queue(1, "Ada", "Ben").start(1).say(1, "A").end(1, "A").start(2);
    expect(scriptAfter(telling)).toBe("t1 t2");
    expect(opensWith(fold(telling.entries))).toBe(1);
    expect(opensWith(fold(round().entries))).toBe(3);
  });

  it("begin a new row where somebody always speaks", () => {
    const telling = new Telling("Ada", "Ben").queue(1, "Ada").start(1);
    for (let turn = 2; turn <= 30; turn++) telling.queue(1, turn % 2 ? "Ada" : "Ben").start(turn).say(turn, "x").end(turn - 1, "x");
    const { lines } = scriptOf(fold(telling.entries), []);
    expect(lines.map((line) => (line.kind === "columns" ? line.columns.length : 1))).toEqual([12, 12, 6]);
  });
});

describe("what is said while someone speaks", () => {
  it("waits, and is set below when nobody above it speaks any more", () => {
    const telling = new Telling("Ada", "Ben").queue(1, "Ada", "Ben").start(1, 2).say(1, "A").ask();
    expect(scriptAfter(telling)).toBe("[t1 t2]/2 (m8)");
    expect(scriptAfter(telling.end(2, "B").ask("Ben"))).toBe("[t1 t2]/2 (m8) (m10)");
    expect(scriptAfter(telling.end(1, "A"))).toBe("[t1 t2]/2 m8 m10");
    expect(scriptAfter(telling.queue(2, "Ben").start(3).ask())).toBe("[t1 t2]/2 m8 m10 t3 (m14)");
  });

  it.each(NAMES)("is all in the script in the end, and never moves, in %s", (name) => {
    const entries = entriesOf(name);
    const notes = chronicleOf(name).notes;
    const linesAt = (count: number) => scriptOf(fold(entries.slice(0, count)), notes.filter(({ seq }) => seq <= count)).lines;
    // A turn that has the floor and no word yet may find itself the first of several.
    const isSilent = (line: Line) => line.kind === "turn" && line.turn.status === "started" && line.turn.text === "";
    for (let count = 1; count <= entries.length; count++) {
      const after = linesAt(count);
      linesAt(count - 1).forEach((line, place) => {
        const keys = isSilent(line) ? [line.key, `${line.key}-`] : [line.key];
        expect(keys).toContain(after[place]!.key);
      });
    }
  });
});

describe("the scene", () => {
  it("knows who has the floor and who is next", () => {
    const entries = entriesOf("people");
    expect(floorOf(fold(entries.slice(0, 7))).map(({ panelist }) => panelist)).toEqual(["Ada"]);
    expect(nextOf(fold(entries.slice(0, 10)))?.panelist).toBe("Ben");
    expect(nextOf(fold(entries))).toBeUndefined();
  });

  it("shares the words out, and sums the spending", () => {
    const transcript = fold(entriesOf("plain"));
    const shares = sharesOf(transcript);
    expect(shares.get("Ada")).toBeCloseTo(5 / 10);
    expect([...shares.values()].reduce((sum, each) => sum + each, 0)).toBeCloseTo(1);
    const dollars = [...spendingOf(transcript).values()].reduce((sum, each) => sum + each.dollars, 0);
    expect(dollars).toBeCloseTo(transcript.spent.dollars);
  });
});

describe("words", () => {
  it.each([
    ["One can’t, or won’t.", 4], ["  ", 0], ["私は思う", 4], ["GPT は速い", 4],
  ])("in %j: %i", (text, count) => {
    const [turn] = fold(entriesOf("plain")).turns;
    expect(wordsIn({ ...turn!, text })).toBe(count);
  });
});

describe("the lanes", () => {
  const transcript = fold(entriesOf("thoughts"));
  const now = transcript.at + 5;
  const axis = axisOf(transcript, now);

  it("tell waiting from words, and let an open turn grow to now", () => {
    const [first, second] = barsOf(transcript, axis, chronicleOf("thoughts").wordsAt, now);
    expect(first!.words).toBeGreaterThan(first!.from);
    expect(first!.to).toBeGreaterThan(first!.words);
    expect(second).toMatchObject({ open: true, to: axis.length, words: axis.length });
  });

  it("mark rounds, and leave out labels without room", () => {
    const plain = fold(entriesOf("plain"));
    const rounds = roundsOf(plain, axisOf(plain, plain.at));
    expect(rounds.map(({ label }) => label)).toEqual(["Round 1", "Round 2"]);
    expect(legible(rounds, 1, 62).map(({ label }) => label)).toEqual(["Round 1"]);
  });

  it("name only flags that no other stands close behind", () => {
    expect(apart([{ at: 1 }, { at: 5 }, { at: 20 }], 10, 70)).toEqual([{ at: 5 }, { at: 20 }]);
  });

  it("stand still while a table grows within a horizon", () => {
    expect(horizonOf(10, false)).toBe(horizonOf(50, false));
    expect(horizonOf(1000, false)).toBeGreaterThan(1000);
    expect(horizonOf(1000, true)).toBe(1000);
  });
});
