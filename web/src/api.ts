/** The server's routes, each as one function. An answer that is no success is thrown as `Refused`. */
import type { Command, Failure, Limits, Panelist, Transcript, Until } from "./protocol.gen";

/** RFC 9457, with our stable `code`; `field` is the JSON path of the member that is wrong. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  code: string;
  field?: string;
}

export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

export interface ProviderStatus {
  name: string;
  title: string;
  usable: boolean;
  local: boolean;
  destination: string;
  detail: string;
  hint: string;
  models: string[];
}

export interface PolicySummary {
  name: string;
  title: string;
  summary: string;
  /** Whether its tables come to a verdict, what ends its discussions, and how many it takes, unless asked otherwise. */
  verdict?: boolean;
  until?: Until;
  least?: number;
}

export interface House {
  providers: ProviderStatus[];
  default_panel: Panelist[];
  demo: boolean;
  policies: PolicySummary[];
  limits: Partial<Limits>;
}

export interface TableSummary {
  id: string;
  topic: string;
  /** Empty: it is called by its topic. */
  title?: string;
  status: Transcript["status"];
  reason: string;
  panel: { name: string; model: string }[];
  policy: string;
  opened_at: number;
  at: number;
  turns: number;
  tokens: number;
  dollars: number;
  unpriced: number;
  spectators: number;
  cursor: string;
  /** False: kept in memory only. */
  record: boolean;
}

export interface Opening {
  topic: string;
  panel: Panelist[];
  policy: string;
  limits: Partial<Limits>;
  then: "close" | "rest";
  verdict: boolean;
  until: Until;
  /** Absent: it is called by its topic. */
  title?: string;
  /** False: kept in memory only. Absent is true. */
  record?: boolean;
  /** What lies on the table before anybody speaks. */
  material?: Upload[];
}

/** A file as it is sent; `data` is in base64. */
export interface Upload {
  name: string;
  data: string;
}

/** What is otherwise at another future of a table; what is absent is as it was. */
export interface Fork {
  /** The last entry that both have in common; absent: the newest. */
  after?: string;
  topic?: string;
  panel?: Panelist[];
  policy?: string;
  title?: string;
  message?: { text: string };
}

export interface ForkLine {
  table: string;
  cursor: string;
}

/** A panel that is kept under a name; what is null is as its method has it. */
export interface KeptPanel extends Pick<Opening, "panel" | "policy" | "limits" | "then"> {
  name: string;
  source: "saved" | "config";
  verdict: boolean | null;
  until: Until | null;
}

export type Keep = Pick<Opening, "panel" | "policy" | "limits" | "then"> & Partial<Pick<Opening, "verdict" | "until">>;

/** What a turn's model was sent, computed again from the log; `matches` tells whether it is what was logged. */
export interface Lens {
  turn: string;
  panelist: string;
  kind: string;
  model: string;
  attempts: { attempt: number; model: string; error: Failure | null }[];
  system: string;
  messages: { role: string; text: string; images?: unknown[] }[];
  options: Record<string, unknown>;
  most: number;
  room: number;
  length: number;
  digest: string;
  computed: string;
  matches: boolean;
}

export interface Snapshot {
  cursor: string;
  transcript: Transcript;
  /** Seconds by which the server's clock is ahead of ours, as far as its Date header tells. */
  skew: number;
}

const IN_TURN: PolicySummary = { name: "round_robin", title: "In turn", summary: "Everyone speaks once a round, in seat order." };

/** Who can speak here and how; policies from an address of their own where the house does not list them. */
export async function house(): Promise<House> {
  const answer = await read<Omit<House, "policies"> & Partial<House>>("/v1/providers");
  const policies = answer.policies ?? (await read<Pick<House, "policies">>("/v1/policies").then((all) => all.policies, ifMissing([IN_TURN])));
  return { ...answer, policies };
}

function ifMissing<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Refused && error.problem.status === 404) return instead;
    throw error;
  };
}

export const tables = (before?: string) =>
  read<{ roundtables: TableSummary[]; next: string | null; unreadable: string[] }>(
    `/v1/roundtables?limit=20${before ? `&before=${encodeURIComponent(before)}` : ""}`,
  );

/** `onsent` is told how much of it has gone up, from 0 to 1. */
export const convene = (opening: Opening, onsent?: (share: number) => void) =>
  upload<{ id: string; cursor: string }>("/v1/roundtables", opening, {}, onsent);

const at = (table: string) => `/v1/roundtables/${encodeURIComponent(table)}`;

export const fork = (table: string, changes: Fork) => post<{ id: string; cursor: string }>(`${at(table)}/forks`, changes);

/** Those of a table that are still there, oldest first. */
export const forks = (table: string) => read<{ forks: ForkLine[] }>(`${at(table)}/forks`).then((all) => all.forks, ifMissing([]));

export const lens = (table: string, turn: string) => read<Lens>(`${at(table)}/turns/${encodeURIComponent(turn)}/prompt`);

/** Lay a file on the table, once for a key; resolves when the server has accepted it. */
export const lay = (table: string, file: Upload, key: string, onsent: (share: number) => void) =>
  upload<unknown>(`${at(table)}/material`, file, { "Idempotency-Key": key }, onsent);

export const fileOf = (table: string, material: string) => `${at(table)}/material/${encodeURIComponent(material)}`;

/** The configuration's first; none on a server that keeps no panels. */
export const panels = () => read<{ panels: KeptPanel[] }>("/v1/panels").then((all) => all.panels, ifMissing([]));

const panelAt = (name: string) => `/v1/panels/${encodeURIComponent(name)}`;

export const savePanel = (name: string, keep: Keep) => call(panelAt(name), { ...body(keep), method: "PUT" });

/** Forget a panel. One that is gone already is no error. */
export const dropPanel = (name: string): Promise<unknown> => call(panelAt(name), { method: "DELETE" }).catch(ifMissing(null));

export const signIn = (secret: string) => call("/v1/session", body({ secret }));

/** Delete a table for good. One that is gone already is no error. */
export const remove = (table: string): Promise<unknown> =>
  call(`/v1/roundtables/${encodeURIComponent(table)}`, { method: "DELETE" }).catch(ifMissing(null));

/** The files a table can be had as: format, which is the name's ending too, and what it is. */
export const EXPORTS = [["md", "To read: Markdown"], ["html", "To read: web page"], ["json", "The transcript"], ["jsonl", "Every event"]] as const;

export const exportOf = (table: string, format: (typeof EXPORTS)[number][0]) =>
  `/v1/roundtables/${encodeURIComponent(table)}/export?format=${format}`;

/** Whether the server still has a table of which everything up to `cursor` is known. Rejects when it does not answer. */
export async function exists(table: string, cursor: string): Promise<boolean> {
  const headers = { "If-None-Match": `"${cursor}"` };
  const response = await fetch(`/v1/roundtables/${encodeURIComponent(table)}`, { method: "HEAD", headers, cache: "no-store" });
  return response.status !== 404;
}

export const eventsOf = (table: string) => `/v1/roundtables/${encodeURIComponent(table)}/events`;

export async function snapshot(table: string, signal?: AbortSignal): Promise<Snapshot> {
  const response = await call(`/v1/roundtables/${encodeURIComponent(table)}`, signal ? { signal } : {});
  const date = Date.parse(response.headers.get("Date") ?? "");
  const skew = Number.isNaN(date) ? 0 : (date - Date.now()) / 1000;
  return { ...((await response.json()) as Omit<Snapshot, "skew">), skew };
}

/** Send a command once: the same key makes a second try harmless. Resolves when the server has accepted it. */
export function command(table: string, command: Command, key: string): Promise<unknown> {
  return post(`/v1/roundtables/${encodeURIComponent(table)}/commands`, command, { "Idempotency-Key": key });
}

async function read<T>(path: string): Promise<T> {
  return (await call(path)).json() as Promise<T>;
}

async function post<T>(path: string, value: unknown, headers: Record<string, string> = {}): Promise<T> {
  return (await call(path, body(value, headers))).json() as Promise<T>;
}

/** A POST that tells how far it has come, which fetch does not. */
function upload<T>(path: string, value: unknown, headers: Record<string, string>, onsent?: (share: number) => void): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const request = new XMLHttpRequest();
  const sent = body(value, headers);
  request.open("POST", path);
  for (const [name, content] of Object.entries(sent.headers as Record<string, string>)) request.setRequestHeader(name, content);
  request.upload.onprogress = ({ lengthComputable, loaded, total }) => lengthComputable && onsent?.(loaded / total);
  request.onerror = request.ontimeout = () => reject(new TypeError("no answer"));
  request.onload = () => {
    const response = new Response(request.responseText, { status: request.status, statusText: request.statusText });
    if (response.ok) resolve(response.json() as Promise<T>);
    else void problemOf(response).then((problem) => reject(new Refused(problem)));
  };
  request.send(sent.body as string);
  return promise;
}

function body(value: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(value),
  };
}

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(path, { ...init, cache: "no-store" });
  if (!response.ok) throw new Refused(await problemOf(response));
  return response;
}

/** The problem document of a response; made up from the status where a proxy answered in the server's place. */
export async function problemOf(response: Response): Promise<Problem> {
  const made = { title: response.statusText, status: response.status, detail: "", code: `http_${response.status}` };
  const sent: unknown = await response.json().catch(() => null);
  return typeof sent === "object" && sent !== null ? { ...made, ...sent } : made;
}
