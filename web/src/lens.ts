/** What is said of a prompt that is looked at again. */
import type { Lens } from "./api";

/** Whether what is shown is what was sent. */
export function digestWords({ digest, matches }: Pick<Lens, "digest" | "matches">): string {
  if (!digest) return "No digest was logged, so nothing proves that this was sent.";
  return matches
    ? "Word for word what was sent: it has the digest that was logged then."
    : "Not what was sent: its digest is another than the one that was logged. A newer server writes prompts otherwise.";
}

/** Whose words a message of a prompt holds. */
export function roleWord(role: string, panelist: string): string {
  if (role === "assistant") return `What ${panelist} had said`;
  return role === "tool" ? "A tool’s result" : role === "user" ? "What the table said and asked" : role;
}
