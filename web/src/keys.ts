/** The keys of the stage and the lobby: what `?` lists is what is handled. */

export const KEYS: [keys: string[], does: string][] = [
  [["Space", "K"], "Play or pause my view"],
  [["←", "→"], "Back or forward 5 s"],
  [["J", "L"], "To the turn before, or after"],
  [["G"], "Back to live, or to the end"],
  [["/"], "Say something"],
  [["R"], "Raise my hand, or lower it"],
  [["Ctrl", "Enter"], "In the field: barge in, while someone speaks"],
  [["Ctrl", "Enter"], "In the lobby: convene"],
  [["Esc"], "Close what is open, leave the field"],
  [["?"], "This list"],
];

/** The key of an event that is meant for the page; null when it belongs to a field, a button or the browser. */
export function pageKey(event: KeyboardEvent): string | null {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (document.querySelector("dialog[open]")) return null;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("input, textarea, select, [contenteditable]")) return null;
  if (target?.closest("[role=slider]") && /^(Arrow|Home|End|Page)/.test(event.key)) return null;
  if (target?.closest(".strip") && event.key.startsWith("Arrow")) return null; // they scroll it
  if (event.key === " " && target?.closest("button, a, summary")) return null;
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}
