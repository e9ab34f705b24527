import { deepStrictEqual } from "node:assert";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refused, type Snapshot } from "../src/api";
import { ZERO } from "../src/cursor";
import { apply, copy, type Entry, fold, newTranscript } from "../src/reduce";
import { type Connection, history, type Pulse, type Reader, Stream } from "../src/stream";
import { entriesOf, transcriptOf } from "./golden";

const ENTRIES = entriesOf("letters");
const END = "event: end\ndata: {}\n\n";

function frame({ id, ...body }: Entry): string {
  return `id: ${id}\nevent: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`;
}

function frames(entries: Entry[]): string {
  return entries.map(frame).join("");
}

function snapshotAt(count: number): Snapshot {
  const transcript = fold(ENTRIES.slice(0, count));
  return { cursor: transcript.cursor, transcript, skew: 0 };
}

/** A 200 that yields these chunks, and then ends, fails or stays silent. */
function stream(chunks: (string | Uint8Array)[], then: "end" | "fail" | "silence" = "end"): Response {
  const encoder = new TextEncoder();
  const parts = chunks.map((chunk) => (typeof chunk === "string" ? encoder.encode(chunk) : chunk));
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const part = parts.shift();
      if (part) controller.enqueue(part);
      else if (then === "end") controller.close();
      else if (then === "fail") controller.error(new TypeError("network"));
      else return new Promise(() => {});
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

function problem(status: number, headers = {}, code = "x"): Response {
  return Response.json({ title: "No", status, detail: "Because.", code }, { status, headers });
}

/** A viewer, and the server's answers in order: one for every connection. */
function follow(answers: (Response | Error)[], snapshots = [() => snapshotAt(0)]) {
  let transcript = newTranscript();
  const seen = { taken: [] as string[], states: [] as Connection[], pulses: [] as Pulse[], asked: [] as string[] };
  const reader: Reader = {
    cursor: () => transcript.cursor,
    take: (entry) => {
      apply(transcript, entry);
      seen.taken.push(entry.id);
    },
    replace: (snapshot) => (transcript = copy(snapshot.transcript)),
    pulse: (pulse) => seen.pulses.push(pulse),
    changed: (connection) => seen.states.push(connection),
  };
  const fetch = vi.fn(async (_url: string | URL | Request, init?: RequestInit) => {
    seen.asked.push(new Headers(init?.headers).get("Last-Event-ID") ?? ZERO);
    const answer = answers.shift() ?? problem(404);
    if (answer instanceof Error) throw answer;
    const cut = new Promise<never>((_, reject) => init?.signal?.addEventListener("abort", () => reject(new Error("cut"))));
    cut.catch(() => {});
    return interruptible(answer, cut);
  });
  const snapshot = vi.fn(async () => (snapshots.length > 1 ? snapshots.shift()! : snapshots[0]!)());
  const exists = vi.fn(async () => true);
  const around = { fetch, snapshot, exists, random: () => 0.5, online: () => true };
  const viewer = new Stream("golden", reader, around);
  return { viewer, seen, snapshot, exists, done: viewer.run(), transcript: () => transcript };
}

/** What fetch does when its signal fires: the body fails. */
function interruptible(response: Response, cut: Promise<never>): Response {
  const inner = response.body?.getReader();
  if (!inner) return response;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await Promise.race([inner.read(), cut]);
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const last = <T>(list: T[]) => list.at(-1);

describe("following a table", () => {
  it("reads a stream that is cut at every byte", async () => {
    const bytes = new TextEncoder().encode(frames(ENTRIES) + END);
    for (const size of [1, 2, 3, 7, 1000]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.slice(i * size, (i + 1) * size));
      const { done, seen, transcript } = follow([stream(chunks)]);
      await done;
      expect(seen.taken).toEqual(ENTRIES.map(({ id }) => id));
      deepStrictEqual(transcript(), transcriptOf("letters"));
      expect(last(seen.states)).toEqual({ state: "ended" });
    }
  });

  it("goes on after the snapshot", async () => {
    const { done, seen } = follow([stream([frames(ENTRIES.slice(6)), END])], [() => snapshotAt(6)]);
    await done;
    expect(seen.asked).toEqual([ENTRIES[5]!.id]);
    expect(seen.taken).toEqual(ENTRIES.slice(6).map(({ id }) => id));
  });

  it("drops what it has, wherever a connection breaks", async () => {
    for (let cut = 1; cut < ENTRIES.length; cut++) {
      const again = stream([frames(ENTRIES.slice(cut - 1)), END]); // one entry too many
      const { done, seen } = follow([stream([frames(ENTRIES.slice(0, cut)), "id: half"], "fail"), again]);
      await vi.runAllTimersAsync();
      await done;
      expect(seen.taken).toEqual(ENTRIES.map(({ id }) => id));
      expect(seen.asked).toEqual([ZERO, ENTRIES[cut - 1]!.id]);
    }
  });

  it("closes a gap by a new snapshot", async () => {
    const gap = stream([frames(ENTRIES.slice(0, 4)), frames(ENTRIES.slice(7)), END]);
    const { done, seen, snapshot, transcript } = follow([gap], [() => snapshotAt(0), () => snapshotAt(9)]);
    await done;
    expect(snapshot).toHaveBeenCalledTimes(2);
    expect(seen.taken).toEqual([...ENTRIES.slice(0, 4), ...ENTRIES.slice(9)].map(({ id }) => id));
    expect(transcript().cursor).toBe(last(ENTRIES)!.id);
  });

  it("connects anew when even the snapshot does not close the gap", async () => {
    const { done, seen } = follow(
      [stream([frames(ENTRIES.slice(7))]), stream([frames(ENTRIES.slice(3)), END])],
      [() => snapshotAt(0), () => snapshotAt(3)],
    );
    await vi.runAllTimersAsync();
    await done;
    expect(seen.asked).toEqual([ZERO, ENTRIES[2]!.id]);
    expect(seen.taken).toEqual(ENTRIES.slice(3).map(({ id }) => id));
  });

  it("takes a snapshot on reset, and drops what that covers", async () => {
    const reset = `event: reset\ndata: {"reason":"lost","cursor":"${ENTRIES[4]!.id}"}\n\nid: ${ENTRIES[4]!.id}\n\n`;
    const { done, seen, snapshot } = follow(
      [stream([frames(ENTRIES.slice(0, 8)), reset, frames(ENTRIES.slice(5)), END])],
      [() => snapshotAt(0), () => snapshotAt(6)],
    );
    await done;
    expect(snapshot).toHaveBeenCalledTimes(2);
    expect(seen.taken.slice(8)).toEqual(ENTRIES.slice(6).map(({ id }) => id));
  });

  it("counts who watches", async () => {
    const { done, seen } = follow([stream(['event: hb\ndata: {"head":"1-2","spectators":3}\n\n', END])]);
    await done;
    expect(seen.pulses).toEqual([{ head: "1-2", spectators: 3 }]);
  });

  it("tells a table that was deleted from one that ended", async () => {
    const end = 'event: end\ndata: {"type":"end","cursor":"1-15","reason":"deleted"}\n\n';
    const { done, seen } = follow([stream([frames(ENTRIES.slice(0, 3)), end])]);
    await done;
    expect(last(seen.states)).toEqual({ state: "deleted" });
    expect(seen.taken.length).toBe(3);
  });

  it("looks whether a table that is over is still there", async () => {
    const { viewer, done, seen, exists } = follow([stream([frames(ENTRIES), END])]);
    await viewer.look(); // not over yet: its stream will tell
    await done;
    expect(exists).not.toHaveBeenCalled();
    exists.mockRejectedValueOnce(new TypeError("network"));
    for (let looks = 0; looks < 2; looks++) await viewer.look();
    expect(exists).toHaveBeenLastCalledWith("golden", ENTRIES.at(-1)!.id);
    expect(last(seen.states)).toEqual({ state: "ended" });
    exists.mockResolvedValue(false);
    await viewer.look();
    expect(last(seen.states)).toEqual({ state: "not_found" });
    await viewer.look();
    expect(exists).toHaveBeenCalledTimes(3);
  });

  it("has ended when the server has nothing more to say", async () => {
    const { done, seen } = follow([new Response(null, { status: 204 })], [() => snapshotAt(15)]);
    await done;
    expect(last(seen.states)).toEqual({ state: "ended" });
  });

  it.each([
    [401, { state: "not_allowed" }],
    [403, { state: "not_allowed" }],
    [404, { state: "not_found" }],
    [410, { state: "refused", detail: "Because." }],
  ])("stays away after a %i", async (status, state) => {
    const { done, seen } = follow([problem(status)]);
    await done;
    expect(last(seen.states)).toEqual(state);
    expect(seen.asked).toHaveLength(1);
  });

  it("stays away from a table that is damaged", async () => {
    const { done, seen } = follow([problem(500, {}, "log_damaged")]);
    await done;
    expect(last(seen.states)).toEqual({ state: "refused", detail: "Because." });
  });

  it("stays away when the snapshot is refused", async () => {
    const refuse = () => {
      throw new Refused({ title: "", status: 404, detail: "", code: "not_found" });
    };
    const { done, seen } = follow([], [refuse]);
    await done;
    expect(last(seen.states)).toEqual({ state: "not_found" });
  });
});

describe("a lost connection", () => {
  const waits = (states: Connection[], from: number) =>
    states.flatMap((connection) => ("next" in connection ? [connection.next - from] : []));

  it("is tried again after longer and longer waits, until it is back", async () => {
    const lost = Array.from({ length: 7 }, () => new TypeError("network"));
    const { viewer, seen } = follow([...lost, stream([frames(ENTRIES)], "silence")]);
    const gaps: number[] = [];
    for (let turn = 0; turn < 7; turn++) {
      await vi.advanceTimersByTimeAsync(0);
      gaps.push(last(waits(seen.states, Date.now()))!);
      await vi.advanceTimersByTimeAsync(gaps[turn]!);
    }
    expect(gaps).toEqual([500, 1500, 3000, 6000, 12_000, 22_500, 22_500]);
    expect(last(seen.states)).toEqual({ state: "live" });
    viewer.stop();
  });

  it("honours retry: and Retry-After", async () => {
    const { viewer, seen } = follow([stream(["retry: 4000\n\n"]), problem(503, { "Retry-After": "7" })]);
    await vi.advanceTimersByTimeAsync(0);
    expect(last(waits(seen.states, Date.now()))).toBe(2000);
    await vi.advanceTimersByTimeAsync(2000);
    expect(last(waits(seen.states, Date.now()))).toBe(7000);
    viewer.stop();
  });

  it("is noticed by silence, and heartbeats are no silence", async () => {
    const { viewer, seen } = follow([stream([frames(ENTRIES.slice(0, 3))], "silence"), stream([END])]);
    await vi.advanceTimersByTimeAsync(24_999);
    expect(last(seen.states)).toEqual({ state: "live" });
    await vi.advanceTimersByTimeAsync(1);
    expect(last(seen.states)).toMatchObject({ state: "reconnecting" });
    viewer.stop();
  });

  it("is tried at once when asked to", async () => {
    const { viewer, seen, done } = follow([new TypeError("network"), stream([END])]);
    await vi.advanceTimersByTimeAsync(0);
    viewer.retry();
    await done;
    expect(last(seen.states)).toEqual({ state: "ended" });
  });

  it("is not tried again after stop()", async () => {
    const { viewer, seen, done } = follow([stream([frames(ENTRIES)], "silence")]);
    await vi.advanceTimersByTimeAsync(0);
    viewer.stop();
    await done;
    await vi.runAllTimersAsync();
    expect(seen.asked).toHaveLength(1);
  });
});

describe("reading the history", () => {
  const lines = (entries: Entry[]) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");

  it("stops where it was asked to, and gives every entry once, wherever the bytes are cut", async () => {
    const whole = new TextEncoder().encode(lines(ENTRIES)); // bytes, or half a character would be cut that never was sent
    for (let cut = 0; cut <= whole.length; cut += 7) {
      vi.stubGlobal("fetch", async () => stream([whole.slice(0, cut), whole.slice(cut)], "silence"));
      const entries: Entry[] = [];
      await history("golden", 8, (batch) => entries.push(...batch), new AbortController().signal);
      expect(entries).toEqual(ENTRIES.slice(0, 8));
    }
    vi.unstubAllGlobals();
  });

  it("is no second spectator", async () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (url: string) => (asked.push(url), stream([lines(ENTRIES)])));
    await history("golden", 8, () => {}, new AbortController().signal);
    expect(asked).toEqual(["/v1/roundtables/golden/export?format=jsonl"]);
    vi.unstubAllGlobals();
  });

  it("says when the recording is short", async () => {
    vi.stubGlobal("fetch", async () => stream([lines(ENTRIES.slice(0, 5))]));
    await expect(history("golden", 8, () => {}, new AbortController().signal)).rejects.toThrow("ends at 5 of 8");
    vi.unstubAllGlobals();
  });
});
