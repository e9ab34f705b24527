/** The golden transcripts that pytest runs too, read from `tests/golden/`. */
import { readdirSync, readFileSync } from "node:fs";
import type { Transcript } from "../src/protocol.gen";
import type { Entry } from "../src/reduce";

const FOLDER = new URL("../../tests/golden/", import.meta.url);

function read(name: string): string {
  return readFileSync(new URL(name, FOLDER), "utf8");
}

export const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".jsonl"))
  .map((name) => name.replace(".jsonl", ""));

export function entriesOf(name: string): Entry[] {
  return read(`${name}.jsonl`).split("\n").filter(Boolean).map((line) => JSON.parse(line) as Entry);
}

export function transcriptOf(name: string): Transcript {
  return JSON.parse(read(`${name}.transcript.json`)) as Transcript;
}

export type Illegal = { name: string; scenario: string; after: number; message: Entry };
export const ILLEGAL = JSON.parse(read("illegal.json")) as Illegal[];
