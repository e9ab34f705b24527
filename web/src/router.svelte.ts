/** Which page is shown. The address is the only state: `/`, `/t/ID`, `/t/ID?at=CURSOR` and `/compare/ID/ID`. */
import { isCursor } from "./cursor";

export type Page =
  | { view: "lobby" }
  | { view: "compare"; tables: [string, string] }
  | { view: "stage"; table: string; at: string | null }
  | { view: "nowhere" };

function pageOf({ pathname, searchParams }: URL): Page {
  const table = /^\/t\/([^/]+)\/?$/.exec(pathname)?.[1];
  if (table) {
    const at = searchParams.get("at");
    return { view: "stage", table: decoded(table), at: at && isCursor(at) ? at : null };
  }
  const pair = /^\/compare\/([^/]+)\/([^/]+)\/?$/.exec(pathname);
  if (pair) return { view: "compare", tables: [decoded(pair[1]!), decoded(pair[2]!)] };
  return pathname === "/" ? { view: "lobby" } : { view: "nowhere" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

let page = $state.raw(pageOf(new URL(location.href)));

export const router = {
  get page(): Page {
    return page;
  },
  go(address: string): void {
    history.pushState(null, "", address);
    page = pageOf(new URL(location.href));
    scrollTo(0, 0);
  },
};

addEventListener("popstate", () => (page = pageOf(new URL(location.href))));

export const stageOf = (table: string, at = "") => `/t/${encodeURIComponent(table)}${at && `?at=${at}`}`;

export const compareOf = (one: string, other: string) => `/compare/${encodeURIComponent(one)}/${encodeURIComponent(other)}`;

/** Links within the site change the page without loading it; all else is the browser's. */
export function followLinks(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  const wanted = link && link.origin === location.origin && !link.target && !link.hasAttribute("download") && link.getAttribute("href")?.startsWith("/");
  if (!wanted || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  router.go(link.href);
}
