import { describe, expect, it } from "vitest";
import { Follow } from "../src/follow";

const VIEW = 600;
const row = (ends: number[], head = 1000, key = "t1-") => ({ key, head, ends });

describe("the page that follows", () => {
  it("is at the end of what is spoken in turn", () => {
    expect(new Follow().aim(2000, VIEW, null)).toBe(1400);
  });

  it("turns to a row as to a new page, and stays until its words leave the view", () => {
    const follow = new Follow();
    expect(follow.aim(1100, VIEW, row([]))).toBe(972);
    expect(follow.aim(1500, VIEW, row([1400, 1200]))).toBe(972);
    expect(follow.aim(3000, VIEW, row([3000, 1200]))).toBe(972);
    expect(follow.aim(3000, VIEW, row([3000, 1700]))).toBe(1700 + 28 - VIEW);
  });

  it("never goes back: not when a slower one begins, nor when all have ended", () => {
    const follow = new Follow();
    const reached = follow.aim(3000, VIEW, row([2500]));
    expect(follow.aim(3000, VIEW, row([2500, 1100]))).toBe(reached);
    expect(follow.aim(3000, VIEW, row([]))).toBe(reached);
  });

  it("stays with the row when what stands above it is measured anew", () => {
    const follow = new Follow();
    const reached = follow.aim(3000, VIEW, row([2500]));
    expect(follow.aim(3200, VIEW, row([], 1200))).toBe(reached + 200);
  });

  it("begins anew with the next row, and when it is told to forget", () => {
    const follow = new Follow();
    follow.aim(3000, VIEW, row([2500]));
    expect(follow.aim(3000, VIEW, row([], 2600, "t4-"))).toBe(2572);
    follow.aim(3000, VIEW, row([2500]));
    follow.forget();
    expect(follow.aim(3000, VIEW, row([]))).toBe(972);
  });
});
