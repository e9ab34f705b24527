/** Other futures of a table: what is asked of one, and where it began. */
import type { Fork } from "./api";
import { trimmed } from "./draft";
import { isHeard } from "./kinds";
import type { Panelist, Transcript } from "./protocol.gen";

/** What a person wants otherwise, as the form holds it. */
export interface Asked {
  topic: string;
  panel: Panelist[];
  policy: string;
  message: string;
  title: string;
}

/** Only what was changed: the rest goes on as it was. `after` is empty for the table as it stands. */
export function forkOf(past: Transcript, after: string, asked: Asked): Fork {
  const before = past.panel.filter(({ name }) => !past.removed.includes(name));
  const [topic, text, title] = [asked.topic.trim(), asked.message.trim(), asked.title.trim()];
  const panel = trimmed(asked.panel);
  return {
    ...(after && { after }),
    ...(topic !== past.topic && { topic }),
    ...(JSON.stringify(panel) !== JSON.stringify(before) && { panel }),
    ...(asked.policy !== past.policy && { policy: asked.policy }),
    ...(title && { title }),
    ...(text && { message: { text } }),
  };
}

/** "After Ada’s turn in round 2." */
export function placeWords({ turns }: Pick<Transcript, "turns">, seq: number): string {
  const last = turns.findLast((turn) => isHeard(turn) && turn.started_seq > 0 && turn.started_seq <= seq);
  return last ? `After ${last.panelist}’s turn in round ${last.round}` : "From the beginning";
}
