/** The list of tables as it is kept while pages of it come: newest first, and without what was deleted. */
import type { TableSummary } from "./api";

export interface Page {
  roundtables: TableSummary[];
  next: string | null;
  /** Tables of these pages that the store no longer gives back. */
  unreadable: string[];
}

/** The newest page in place of what stood there; earlier ones that were fetched stay behind it. */
export function refreshed({ roundtables: known, next, unreadable }: Page, newest: Page): Page {
  const last = newest.roundtables.at(-1);
  if (!last || newest.next === null) return newest;
  const ids = new Set(newest.roundtables.map(({ id }) => id));
  const earlier = known.filter(({ id, opened_at }) => !ids.has(id) && opened_at <= last.opened_at);
  return { roundtables: [...newest.roundtables, ...earlier], next: earlier.length > 0 ? next : newest.next, unreadable: union(unreadable, newest.unreadable) };
}

/** A further page, behind those that are known. */
export function extended({ roundtables: known, unreadable }: Page, { roundtables, next, ...page }: Page): Page {
  const ids = new Set(known.map(({ id }) => id));
  return { roundtables: [...known, ...roundtables.filter(({ id }) => !ids.has(id))], next, unreadable: union(unreadable, page.unreadable) };
}

export function without({ roundtables, ...page }: Page, gone: string): Page {
  return { ...page, roundtables: roundtables.filter(({ id }) => id !== gone) };
}

function union(known: string[], more: string[]): string[] {
  return [...new Set([...known, ...more])];
}

/** Whether a table may be deleted: nobody speaks there, and nobody will by itself. */
export function isStill(status: TableSummary["status"]): boolean {
  return status === "closed" || status === "resting";
}
