/** What the page says about a table: plain, short, and who, why and what happens next. */
import type { House, ProviderStatus } from "./api";
import { clock, count, counted, dollars, span } from "./figures";
import { isInterrupted } from "./kinds";
import type { Failure, Limits, Panelist, Transcript, Turn } from "./protocol.gen";
import { absence, own } from "./reduce";
import type { After } from "./script";

/** "A", "A and B", "A, B and C". */
export function listed(names: string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

// -- Models ------------------------------------------------------------------------------------------------------

const FAMILIES: Record<string, string> = {
  claude: "Claude", gemini: "Gemini", gemma: "Gemma", llama: "Llama", qwen: "Qwen", mistral: "Mistral",
  deepseek: "DeepSeek", grok: "Grok", phi: "Phi", command: "Command", kimi: "Kimi", glm: "GLM",
};

/** A model's short name: `anthropic:claude-sonnet-4-5-20250929` is "Claude Sonnet 4.5". */
export function modelLabel(model: string): string {
  const [provider, ...rest] = model.split(":");
  if (provider === "scripted") return "Demo voice";
  const name = rest.join(":").split("/").at(-1) ?? "";
  const bare = name.replace(/\.gguf$/i, "").replace(/-(?:latest|\d{8}|\d{4}-\d\d-\d\d)$/, "");
  if (/^gpt-/.test(bare)) return bare.replace(/^gpt-/, "GPT-").replace(/-(?=[a-z])/g, " ");
  const words = bare.replace(/(\d)-(?=\d(?:-|$))/g, "$1.").split("-");
  const family = own(FAMILIES, words[0] ?? "");
  if (!family) return bare || model;
  return [family, ...words.slice(1).map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join(" ");
}

export const DEMO_VOICES = "Demo voices. No model is running; they follow a script and claim no verdict.";

export const OFF_RECORD =
  "Kept in memory only: when the server stops it is gone, and its link leads nowhere from then on.";

export function isDemo(model: string): boolean {
  return model.startsWith("scripted:");
}

export function providerOf(model: string, house: House | undefined): ProviderStatus | undefined {
  return house?.providers.find(({ name }) => model.startsWith(`${name}:`));
}

/** Who will see the text. */
export function destinations(panel: Panelist[], house: House): string {
  const seated = panel.filter(({ model }) => model !== "" && !isDemo(model));
  if (seated.length === 0) return "Nothing leaves this machine.";
  const known = seated.map(({ model }) => providerOf(model, house));
  const away = known.flatMap((provider) => (provider && !provider.local ? [provider.destination || provider.title] : []));
  const strangers = seated.filter((_, seat) => !known[seat]).map(({ model }) => `“${model}”`);
  const goes = [...new Set([...away, ...strangers])];
  return goes.length === 0 ? "Nothing leaves this machine." : `Your question goes to ${listed(goes)}.`;
}

/** The first sentence of a persona. */
export function personaShort(persona: string): string {
  return /^.*?[.!?](?=\s|$)/s.exec(persona)?.[0] ?? persona;
}

// -- Why and what next -------------------------------------------------------------------------------------------

/** Why a table ended or rests. */
export function endReason(reason: string, limits: Partial<Limits>, detail = ""): string {
  const said = endReasons(limits)[reason] ?? `${sentence(reason.replaceAll("_", " "))}`;
  return detail ? `${said} ${sentence(detail)}` : said;
}

function endReasons(limits: Partial<Limits>): Record<string, string> {
  const { max_rounds, max_turns, max_tokens, max_seconds, max_dollars } = limits;
  return {
    "": "",
    command: "Ended by a person.",
    max_rounds: `${allRounds(max_rounds ?? 0)} held.`,
    max_turns: max_turns ? `${counted(max_turns, "turn")} ${max_turns === 1 ? "was" : "were"} held, as agreed.` : "All turns were held.",
    max_tokens: max_tokens ? `The limit of ${count(max_tokens)} tokens was reached.` : "The token limit was reached.",
    max_seconds: max_seconds ? `The limit of ${span(max_seconds)} was reached.` : "The time limit was reached.",
    max_dollars: max_dollars ? `The limit of ${dollars(max_dollars)} was reached.` : "The cost limit was reached.",
    ranked: "The answers are in, and ranked.",
    no_panelists: "Nobody was left at the table.",
    answered: "Everything that was asked is answered.",
    moderator: "The moderator ended the discussion.",
    passes: "Nobody had anything to add.",
    loop: "The panel was repeating itself.",
    convergence: "The answers had come close to each other.",
    consensus: "Nobody opposed anything any more.",
    one_side: "Nobody was left to disagree.",
    no_proposal: "Nobody came to a proposal.",
  };
}

function allRounds(rounds: number): string {
  if (rounds === 1) return "The one round was";
  if (rounds === 2) return "Both rounds were";
  return rounds ? `All ${rounds} rounds were` : "All rounds were";
}

/** Who failed, why, and what happens next. */
export function failureNote(turn: Turn, after: After): string {
  const left = typeof after === "object";
  const why = turn.error ? sentence(turn.error.detail || turn.error.code.replaceAll("_", " ")) : "";
  const what = left
    ? `${turn.panelist} left the table.`
    : turn.text
      ? `${turn.panelist} was cut off.`
      : `${turn.panelist} could not speak.`;
  const next = left ? goOn(after.left) : asked(turn.panelist, after);
  const kept = turn.text ? " What was said stays on record; the others are not shown it." : "";
  return `${what} ${why}${kept} ${next}`;
}

function asked(panelist: string, after: Exclude<After, object>): string {
  if (after === "no more") return `The table closed before ${panelist} was asked again.`;
  return `${panelist} keeps the seat and is asked again ${after === "next round" ? "in the next round" : "in turn"}.`;
}

function goOn(others: number): string {
  if (others === 0) return "Nobody is left.";
  return others === 1 ? "The other goes on." : "The others go on.";
}

export function retryNote(panelist: string, error: Failure, wait: number, attempt: number, model = ""): string {
  if (model) return `${panelist} did not answer. ${sentence(error.detail)} ${modelLabel(model)} speaks instead.`;
  const when = wait >= 1 ? `in ${span(wait)}` : "at once";
  return `${panelist} did not answer. ${sentence(error.detail)} Asking again ${when}, try ${attempt}.`;
}

/** Of a turn that was cancelled before it began. */
export function skippedNote(panelist: string): string {
  return `A person skipped ${panelist}’s next turn.`;
}

/** Why a finished turn stops where it does, when that is not its own decision. */
export function stopNote(turn: Turn): string {
  switch (turn.stop_reason) {
    case "length":
      return `${turn.panelist} reached the model’s length limit.`;
    case "refusal":
      return `${turn.panelist} declined to go on.`;
    case "content_filter":
      return "The provider’s content filter stopped this turn.";
    default:
      return turn.text.trim() === "" && turn.status === "completed" ? `${turn.panelist} said nothing.` : "";
  }
}

// -- Now ---------------------------------------------------------------------------------------------------------

export type Doing = "waiting" | "thinking" | "speaking";

/** What a turn that has the floor is doing. */
export function doing(turn: Pick<Turn, "text" | "first_at">): Doing {
  if (turn.text) return "speaking";
  return turn.first_at ? "thinking" : "waiting";
}

/** Why it is this turn's, where that is not simply its place in the round; with what leads over to it. */
export function reasonNote({ reason }: Pick<Turn, "reason">): string {
  if (reason === "") return "";
  if (reason === "asked") return ", asked by name";
  if (reason === "swapped") return ", in another’s place";
  if (/^(?:for|against) the motion$/.test(reason)) return ` ${reason}`;
  const why = reason.replace(/[.]$/, "");
  return why.includes(": ") ? `. ${why.charAt(0).toUpperCase()}${why.slice(1)}` : `: ${why}`;
}

/** While she is asked to stop. */
export function yieldNote({ panelist }: Pick<Turn, "panelist">): string {
  return `${panelist} yields: the sentence is ended, and then a person has the floor.`;
}

/** What stands on the table when several have the floor: how many do the foremost thing, and what the others do. */
export function floorWords(turns: Turn[]): { name: string; caption: string } {
  const counts = (["speaking", "thinking", "waiting"] as const)
    .map((what) => [turns.filter((turn) => doing(turn) === what).length, what] as const)
    .filter(([number]) => number > 0);
  const [name = "", ...others] = counts.map(([number, what]) => `${number} ${what}`);
  return { name, caption: others.join(", ") || "at once" };
}

/** How a turn stands, at the head of its column. */
export function columnWord(turn: Turn): string {
  switch (turn.status) {
    case "queued":
      return "next";
    case "started":
      return doing(turn);
    case "failed":
      return turn.text ? "cut off" : "could not speak";
    case "cancelled":
      return turn.text ? (isInterrupted(turn) ? "interrupted" : "stopped") : "skipped";
    default:
      return "";
  }
}

/** Said aloud when the floor changes from these turns to those: who begins, who has ended, who goes on. */
export function announcement(before: Turn[], after: Turn[]): string {
  const names = (turns: Turn[]) => listed([...new Set(turns.map(({ panelist }) => panelist))]);
  const had = new Set(before.map(({ turn }) => turn));
  const has = new Set(after.map(({ turn }) => turn));
  const begun = after.filter(({ turn }) => !had.has(turn));
  const ended = before.filter(({ turn }) => !has.has(turn));
  const goOn = after.filter(({ turn }) => had.has(turn));
  if (begun.length > 0 && goOn.length > 0) return `${names(begun)} ${begun.length > 1 ? "speak" : "speaks"} too.`;
  if (begun.length > 1) return `${names(begun)} speak at once.`;
  if (begun.length === 1) return `${names(begun)} has the floor.`;
  if (ended.length === 0 || goOn.length === 0) return "";
  return `${names(ended)} ${ended.length > 1 ? "have" : "has"} ended. ${names(goOn)} ${goOn.length > 1 ? "go" : "goes"} on.`;
}

export function statusWord(transcript: Transcript): string {
  switch (transcript.status) {
    case "open":
      return "Live";
    case "paused":
      return "Paused";
    case "resting":
      return "Resting";
    case "closed":
      return "Ended";
    default:
      return "Opening";
  }
}

/** One line on a panelist who is no longer there. */
export function absenceNote(transcript: Transcript, name: string): string {
  const failure = absence(transcript, name);
  return failure ? `Left: ${failure.detail}` : "";
}

export function roundWord(transcript: Transcript): string {
  if (transcript.round === 0) return "";
  const { max_rounds } = transcript.limits;
  return max_rounds ? `Round ${transcript.round} of ${transcript.base_round + max_rounds}` : `Round ${transcript.round}`;
}

/** "Waiting for the first word: 4 s of 60 s." */
export function waitingWord(seconds: number, limit: number): string {
  return limit > 0 ? `${clock(seconds)} of ${clock(limit)}` : clock(seconds);
}

/** A detail that some server wrote, with a capital and a full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const capital = trimmed.charAt(0).toLocaleUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
