import { describe, expect, it } from "vitest";
import type { TableSummary } from "../src/api";
import { extended, type Page, refreshed, without } from "../src/listing";

/** Tables that are named by when they were opened. */
function page(next: string | null, ...times: number[]): Page {
  return { roundtables: times.map((time) => ({ id: `r${time}`, opened_at: time }) as TableSummary), next, unreadable: [] };
}
const ids = ({ roundtables }: Page) => roundtables.map(({ id }) => id).join(" ");

describe("the list of tables", () => {
  const known = extended(page("r8", 9, 8), page("r6", 7, 6));

  it("keeps earlier pages behind the newest", () => {
    const list = refreshed(known, page("r9", 10, 9));
    expect(ids(list)).toBe("r10 r9 r8 r7 r6");
    expect(list.next).toBe("r6");
  });

  it("forgets what was deleted elsewhere", () => {
    expect(ids(refreshed(known, page("r7", 9, 7)))).toBe("r9 r7 r6");
    expect(refreshed(known, page(null, 9))).toEqual(page(null, 9));
    expect(refreshed(known, page(null))).toEqual(page(null));
  });

  it("says what cannot be read, once", () => {
    const damaged = { ...page("r6", 7), unreadable: ["x"] };
    expect(extended(known, damaged).unreadable).toEqual(["x"]);
    expect(refreshed(extended(known, damaged), damaged).unreadable).toEqual(["x"]);
    expect(without(damaged, "r7").unreadable).toEqual(["x"]);
  });

  it("forgets what was deleted here, and names nothing twice", () => {
    expect(ids(without(known, "r8"))).toBe("r9 r7 r6");
    expect(ids(extended(known, page(null, 6, 5)))).toBe("r9 r8 r7 r6 r5");
  });
});
