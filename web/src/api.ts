// What the daemon answers. The types are those of /api/v1/openapi.json that the page uses.

export type State = "alive" | "suspect" | "stale" | "down" | "left";

export interface NodeView {
  name: string;
  id: string;
  zone: string;
  addresses: string[];
  state: State;
  state_seconds: number;
  age_seconds: number | null;
  incarnation: number;
  period_seconds: number;
  facts: Record<string, number | string>;
  vitals: Record<string, number>;
  notices: { topic: string; text: string; seconds?: number | null }[];
  this: boolean;
  /** Why the node that answers avoids it; absent if it does not. */
  avoided?: string;
}

export interface Live {
  attributes?: string[];
  gone?: number[];
  nodes?: { place: number; node: NodeView }[];
  rows: [number, (number | null)[]][];
  ages: (number | null)[];
  passes?: number[];
}

export interface BestNode {
  name: string;
  id: string;
  address: string;
  score: number;
  reasons: string[];
  age_seconds: number;
}

export interface BestAnswer {
  best: BestNode[];
  left_out: { name: string; id: string; reason: string }[];
}

export interface ZoneView {
  name: string;
  this: boolean;
  stale: boolean;
  age_seconds: number | null;
  period_seconds: number;
  partial: boolean;
  nodes: number;
  relays: string[];
  totals: null | {
    up: number;
    down: number;
    threads: number;
    gpus: number;
    mem_total: number;
    mem_available: number;
    cpu_busy: number;
  };
}

export interface ClaimView {
  number: number;
  node: string;
  node_id: string;
  by: string | null;
  own: boolean;
  cpus: number;
  mem: number;
  gpus: number;
  age_seconds: number;
  left_seconds: number;
}

export interface SeriesAnswer {
  step_seconds: number;
  to_seconds_ago: number;
  kept_seconds: number;
  series: { node: string; id: string; attribute: string; values: (number | null)[] }[];
}

export interface Status {
  name: string;
  id: string;
  version: string;
  incarnation: number;
  uptime_seconds: number;
  listen: string[];
  api: string[];
  period_seconds: number;
  pace: { budget_bytes: number | null; cost_bytes: number; age_mean_seconds: number; age_most_seconds: number };
  nodes: Record<string, number>;
  links: { name: string; address: string; rtt_seconds: number | null; role: string }[];
  age_mean_seconds: number | null;
  age_max_seconds: number | null;
  cpu_share: number | null;
  resident_bytes: number | null;
  clock_locked: boolean;
  clock_error_seconds: number;
  seeds_waiting: string[];
  counters: Record<string, number>;
  collectors: { name: string; seconds: number; failure: string | null }[];
}

export interface Reason {
  probe: string;
  text: string;
  severity: string;
  seconds: number;
}

export interface HealthAnswer {
  name: string;
  trust: number;
  reasons: Reason[];
  probes: { probe: string; instance: string | null; history: string; tries: number; seconds: number; mean_seconds: number | null; reason: Reason | null }[];
  sees: { viable: number; of: number };
  seen_by: { viable: number; of: number };
  peers: {
    name: string;
    id: string;
    viable: boolean | null;
    why: string | null;
    seconds: number;
    history: string;
    rtt_seconds: number | null;
    viable_share: number;
    sees_me: boolean | null;
  }[];
}

export interface UsageAnswer {
  name: string;
  processes: { pid: number; user: string | null; command: string | null; cpus: number | null; mem: number; read: number | null; written: number | null; age_seconds: number; state?: string | null; parent?: number | null; threads?: number | null; running_seconds?: number | null }[];
  users: { user: string; processes: number; cpus: number; mem: number; read: number; written: number }[];
  gpus: { gpu: number; pid: number; user: string | null; command: string | null; mem: number | null }[];
  watched: number;
}

export interface PartsAnswer {
  name: string;
  age_seconds: number;
  cores: { name: string; busy: number | null; system: number | null; iowait: number | null; frequency: number | null }[];
  memory: Record<"total" | "available" | "free" | "buffers" | "cached" | "shared" | "kernel" | "dirty" | "swap_total" | "swap_used" | "swap_in" | "swap_out", number | null>;
  disks: { name: string; busy: number | null; read: number | null; written: number | null; reads: number | null; writes: number | null; latency_seconds: number | null; queue: number | null }[];
  file_systems: { point: string; device: string; kind: string; size: number | null; available: number | null; used: number | null; read_only: boolean; answers: boolean }[];
  interfaces: { name: string; received: number | null; sent: number | null; received_bytes: number | null; sent_bytes: number | null; drops: number | null; errors: number | null; speed: number | null; link: boolean | null }[];
}

export interface Attribute {
  name: string;
  unit: string;
  kind: string;
  help: string;
}

/** The daemon refused: its words, and the HTTP status. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** An answer that is no success, as an error. */
export async function refusal(response: Response): Promise<Refused> {
  if (response.status === 401) {
    // The server shows the login in place of the page.
    location.reload();
  }
  let message = `the daemon answered ${response.status}`;
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    message = body.error?.message ?? message;
  } catch {
    // Not JSON: somebody between us and the daemon answered.
  }
  return new Refused(message, response.status);
}

/** Longer than the daemon itself takes for an answer at most. */
const PATIENCE_MS = 12_000;

export async function get<T>(path: string, query: [string, string][] = [], signal?: AbortSignal): Promise<T> {
  const asked = new URLSearchParams(query).toString();
  const limit = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch(`/api/v1/${path}${asked ? `?${asked}` : ""}`, {
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    headers: { accept: "application/json" },
  });
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

/** What went wrong, in words. */
export function words(e: unknown): string {
  if (e instanceof Refused) return e.message;
  return "the daemon does not answer";
}
