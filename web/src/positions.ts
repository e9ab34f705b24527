/** Who stands where on which claim, round by round, who moved, and by whose argument: folded from the findings. */
import { type Of } from "./findings";
import type { Transcript } from "./protocol.gen";

export type Stance = Of<"stance.taken">["stance"];

export interface Position {
  panelist: string;
  stance: Stance;
  round: number;
  reason: string;
}

export interface Move {
  panelist: string;
  from: Stance | undefined;
  to: Stance;
  round: number;
  /** Whose argument it was; empty where nobody is named. */
  by: string;
  /** False: it moved without an argument that she had not heard. */
  fresh: boolean;
}

export interface Claim {
  claim: string;
  text: string;
  by: string;
  /** The latest of each who took one, in the order in which they first did. */
  positions: Position[];
  moves: Move[];
}

export interface Positions {
  claims: Claim[];
  /** Rounds in which anybody took a stance. */
  rounds: number[];
}

/**
 * Where they stood when round `until` was over. A later sitting numbers its claims anew: then what was claimed before
 * makes room, and not earlier, so that the map is not empty while a follow-up is discussed.
 */
export function positionsOf({ findings }: Pick<Transcript, "findings">, until = Infinity): Positions {
  let claims = new Map<string, Claim>();
  let rounds = new Set<number>();
  for (const { finding } of findings) {
    if (finding.type === "claim.made") {
      if (claims.has(finding.claim)) [claims, rounds] = [new Map(), new Set()];
      if (finding.round <= until) claims.set(finding.claim, { ...pick(finding), positions: [], moves: [] });
    } else if (finding.type === "stance.taken") {
      rounds.add(finding.round);
      const claim = claims.get(finding.claim);
      if (claim && finding.round <= until) take(claim, finding);
    }
  }
  return { claims: [...claims.values()], rounds: [...rounds].sort((a, b) => a - b) };
}

function pick({ claim, text, by }: Of<"claim.made">) {
  return { claim, text, by };
}

function take(claim: Claim, { panelist, stance, round, reason, moved, moved_by, new_argument }: Of<"stance.taken">): void {
  const place = claim.positions.findIndex((each) => each.panelist === panelist);
  const before = claim.positions[place];
  const position = { panelist, stance, round, reason };
  if (before) claim.positions[place] = position;
  else claim.positions.push(position);
  if (moved) claim.moves.push({ panelist, from: before?.stance, to: stance, round, by: moved_by, fresh: new_argument });
}

export interface Standing {
  supports: string[];
  opposes: string[];
  unsure: string[];
}

export function standingOf({ positions }: Claim): Standing {
  const of = (stance: Stance) => positions.filter((each) => each.stance === stance).map(({ panelist }) => panelist);
  return { supports: of("support"), opposes: of("oppose"), unsure: of("unsure") };
}

/** Those of `names` who took no stance. */
export function silentOn({ supports, opposes, unsure }: Standing, names: string[]): string[] {
  return names.filter((name) => ![...supports, ...opposes, ...unsure].includes(name));
}

const PLACES: Record<Stance, string> = { support: "for it", oppose: "against it", unsure: "unsure" };

/** "Ada moved from against it to for it in round 2, after Ben." */
export function moveWords({ panelist, from, to, round, by }: Move): string {
  const way = from && from !== to ? ` from ${PLACES[from]}` : "";
  return `${panelist} moved${way} to ${PLACES[to]} in round ${round}${by ? `, after ${by}` : ""}.`;
}
