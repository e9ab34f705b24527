/** Light or dark: what the system says, until a person chooses; the choice is remembered. */

type Theme = "light" | "dark";
const KEY = "roundtable.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function remembered(): Theme | null {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : null;
}

let chosen = $state(remembered());
let dark = $state(system.matches);
system.addEventListener("change", () => (dark = system.matches));

export const theme = {
  get now(): Theme {
    return chosen ?? (dark ? "dark" : "light");
  },
  toggle(): void {
    const next = this.now === "dark" ? "light" : "dark";
    chosen = next === (dark ? "dark" : "light") ? null : next; // back to the system's is no choice of its own
    if (chosen) localStorage.setItem(KEY, chosen);
    else localStorage.removeItem(KEY);
  },
};
