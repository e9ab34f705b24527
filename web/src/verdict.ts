/** A verdict in words: who answered, why there is no synthesis, how sure the chair is, and whence the claims are. */
import { foundNow, type Of } from "./findings";
import { VERDICT } from "./kinds";
import type { Transcript } from "./protocol.gen";
import { endReason, sentence } from "./words";

export type Verdict = Of<"verdict.given">;

/** Who answered, as the log has it; why there is no synthesis is said below, and not twice. */
export function headerWords({ header, missing }: Verdict): string {
  return missing ? sentence(header.replace(/;[^;]*no synthesis[.]?$/, "")) : header;
}

export function missingWords({ missing }: Verdict): string {
  return missing ? `No synthesis: ${missing.replace(/[.]$/, "")}.` : "";
}

export function confidenceWords({ confidence, why }: Verdict): string {
  return confidence ? `Confidence: ${confidence}.${why ? ` ${sentence(why)}` : ""}` : "";
}

export function sourceWords({ source, chair }: Verdict): string {
  if (source === "stances") return "Who stands where was read round by round.";
  return source === "chair" ? `Who stands where is ${chair || "the chair"}’s word.` : "";
}

/** The verdict as it stands: given, being written, to come, or none that was asked for. */
export type Standing =
  | { state: "given"; verdict: Verdict }
  | { state: "writing"; chair: string; why: string }
  | { state: "coming"; text: string }
  | null;

export function verdictOf(transcript: Transcript): Standing {
  const { concluding, concluding_detail, limits, status } = transcript;
  const verdict = foundNow(transcript, "verdict.given").at(-1);
  if (verdict) return { state: "given", verdict };
  if (status === "closed" || status === "resting") return null;
  const writing = transcript.turns.findLast(({ kind, status }) => kind === VERDICT && (status === "started" || status === "queued"));
  const why = concluding === "command" ? "A person asked for it." : endReason(concluding, limits, concluding_detail);
  if (concluding) return { state: "writing", chair: writing?.panelist ?? "", why: writing ? why : `${why} The verdict comes next.` };
  return transcript.verdict ? { state: "coming", text: coming(transcript) } : null;
}

/** "After round 3, from 3 of 4: Dag has left." */
function coming({ limits, base_round, panel, absent, removed, muted }: Transcript): string {
  const voices = panel.filter(({ name, role }) => !role && !removed.includes(name));
  const gone = voices.filter(({ name }) => Object.hasOwn(absent, name) || muted.includes(name)).map(({ name }) => name);
  const when = limits.max_rounds ? `After round ${base_round + limits.max_rounds}` : "When the discussion is over";
  if (gone.length === 0) return `${when}, from all ${voices.length}.`;
  return `${when}, from ${voices.length - gone.length} of ${voices.length}: without ${gone.join(", ")}.`;
}
