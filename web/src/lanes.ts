/** The timeline's geometry, in table time: one lane a seat, one bar a turn. Where it stands in pixels is the view's. */
import type { Axis } from "./axis";
import { isHeard } from "./kinds";
import type { Transcript } from "./protocol.gen";

export interface Bar {
  turn: string;
  panelist: string;
  lane: number;
  from: number;
  /** Where waiting and thinking end and words begin; equal to `to` when none came. */
  words: number;
  to: number;
  open: boolean;
  failed: boolean;
  /** No part of the talk: a bid, a vote. */
  paper: boolean;
}

export interface Tick {
  at: number;
  label: string;
}

export function barsOf({ turns, panel }: Transcript, axis: Axis, wordsAt: ReadonlyMap<string, number>, now: number): Bar[] {
  const lanes = new Map(panel.map(({ name }, place) => [name, place]));
  return turns
    .filter(({ started_at }) => started_at > 0)
    .map((turn) => {
      const to = turn.ended_at || Math.max(now, turn.started_at);
      const words = wordsAt.get(turn.turn) ?? (turn.text && turn.first_at ? turn.first_at : to);
      return {
        turn: turn.turn,
        panelist: turn.panelist,
        lane: lanes.get(turn.panelist) ?? 0,
        from: axis.toTable(turn.started_at),
        words: axis.toTable(Math.min(words, to)),
        to: axis.toTable(to),
        open: turn.status === "started",
        failed: turn.status === "failed",
        paper: !isHeard(turn),
      };
    });
}

/** Where each round began. */
export function roundsOf({ turns }: Transcript, axis: Axis): Tick[] {
  const ticks: Tick[] = [];
  let round = 0;
  for (const turn of turns) {
    if (turn.round === round || !turn.started_at) continue;
    round = turn.round;
    ticks.push({ at: axis.toTable(turn.started_at), label: `Round ${round}` });
  }
  return ticks;
}

/**
 * How many seconds the timeline spans: all of a table that is over; of one that goes on, the next step of a ladder, so
 * that the lanes stand still most of the time.
 */
export function horizonOf(length: number, over: boolean): number {
  if (over) return Math.max(length, 1);
  let horizon = 60;
  while (length > horizon * 0.95) horizon *= 1.3;
  return horizon;
}

/** Labels that would run into the one before are left out. `scale` is pixels a second, `room` pixels a label. */
export function legible(ticks: Tick[], scale: number, room: number): Tick[] {
  let free = -Infinity;
  return ticks.filter(({ at }) => {
    if (at * scale < free) return false;
    free = at * scale + room;
    return true;
  });
}

/** Those with `room` pixels before the next one, whose pole would cross their words. */
export function apart<T extends { at: number }>(flags: T[], scale: number, room: number): T[] {
  return flags.filter(({ at }, place) => ((flags[place + 1]?.at ?? Infinity) - at) * scale >= room);
}
