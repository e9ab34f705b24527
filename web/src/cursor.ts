/** Where an entry stands in its stream: the text `term-seq`. Both numbers stay below 2**53. */

export const ZERO = "0-0";

/** The entry's number within its stream, dense from 1. */
export function seqOf(cursor: string): number {
  return Number(cursor.slice(cursor.indexOf("-") + 1));
}

export function isCursor(text: string): boolean {
  return /^(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})$/.test(text);
}
