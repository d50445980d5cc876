// The stream from the daemon: opens it, reads its batches, notices when it falls silent, and comes back.

import { signal } from "@preact/signals";
import { type BestAnswer, type Live, Refused, type SeriesAnswer, type ZoneView, get, refusal } from "./api";
import { TRACES, type TraceName } from "./columns";
import { CELLS, CELL_SECONDS, MADE_OF, best, fillFrom, table, tick } from "./store";

export type Connection =
  | { state: "loading" }
  | { state: "live" }
  /** Connected, but nothing came for a while. */
  | { state: "silent"; since: number }
  /** Not connected; `why` is what the daemon said, if it did. */
  | { state: "lost"; since: number; why: string; again: number };

/** A batch comes every second; so long without one is silence, and then the stream is taken for dead. */
const SILENT_MS = 3_000;
const DEAD_MS = 10_000;
/** Between two attempts, at first and at most: a daemon that restarts is back in a second, one that is gone is not asked for much. */
const AGAIN_MS = 500;
const AGAIN_MS_MAX = 8_000;
/** A page that nobody sees gives its connection back after a while: browsers have six for a daemon, whatever the number of tabs. */
const HIDDEN_MS = 20_000;
/** How often the best are asked for: a choice changes slower than values. */
const BEST_MS = 3_000;
/** Nodes to use now that are marked. */
export const BEST = 3;

export const connection = signal<Connection>({ state: "loading" });
/** How many streams there were: with a new one what was before has a gap. */
export const streams = signal(0);
/** The filter that the daemon applies, and why it refused another. */
export const where = signal("");
export const refused = signal("");
/** Of some zones only totals and a few nodes come here, so that sums leave the others out. */
export const partial = signal(false);
/** What streaming costs: bytes a second, and milliseconds to take a batch. */
export const cost = signal({ bytes: 0, take: 0 });

const now = () => performance.now();
let lastBatch = 0;
let current: AbortController | undefined;
let bytes = 0;

/** Follows the table for as long as the page is open. */
export function follow(): void {
  void keepAsking();
  setInterval(watch, 500);
  let hidden = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = window.setTimeout(() => current?.abort("hidden"), HIDDEN_MS);
  });
  setInterval(() => void askBest(), BEST_MS);
  setInterval(() => void askZones(), ZONES_MS);
  setInterval(() => {
    cost.value = { ...cost.value, bytes };
    bytes = 0;
  }, 1_000);
}

async function keepAsking(): Promise<void> {
  let wait = AGAIN_MS;
  for (;;) {
    try {
      await stream(where.value, () => {
        wait = AGAIN_MS;
      });
      lose("", wait);
    } catch (e) {
      if (e instanceof Refused && e.status === 400 && where.value) {
        // A filter from an earlier visit that this daemon does not know.
        refused.value = e.message;
        where.value = "";
        continue;
      }
      if (current?.signal.reason === "changed") continue;
      if (current?.signal.reason === "hidden") {
        await seen();
        continue;
      }
      lose(e instanceof Refused ? e.message : "", wait);
    }
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, AGAIN_MS_MAX);
  }
}

/** Waits until somebody looks. */
function seen(): Promise<void> {
  return new Promise((done) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      lastBatch = now();
      done();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });
}

function lose(why: string, wait: number): void {
  const c = connection.value;
  const since = c.state === "lost" ? c.since : lastBatch || now();
  connection.value = { state: "lost", since, why, again: now() + wait };
}

/** One stream, to its end. */
async function stream(filter: string, opened: () => void): Promise<void> {
  const controller = new AbortController();
  current = controller;
  const response = await fetch(address(filter), { signal: controller.signal, headers: { accept: "text/event-stream" } });
  if (!response.ok || !response.body) throw await refusal(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let first = true;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    bytes += value.length;
    rest += value;
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const live = batch(rest.slice(0, end));
      rest = rest.slice(end + 2);
      if (!live) continue;
      const started = now();
      table.take(live, first);
      lastBatch = now();
      cost.value = { ...cost.value, take: lastBatch - started };
      connection.value = connection.value.state === "live" ? connection.value : { state: "live" };
      tick.value += 1;
      if (first) {
        streams.value += 1;
        opened();
        void askBest();
        void askZones();
        void fill();
      }
      first = false;
    }
  }
}

const address = (filter: string) => `/api/v1/live?${new URLSearchParams(filter ? { where: filter } : {})}`;

/** The batch in an event's lines. */
function batch(event: string): Live | null {
  const data = event.split("\n").find((line) => line.startsWith("data:"));
  return data ? (JSON.parse(data.slice(5)) as Live) : null;
}

/** Every half second: ages go on, and silence is noticed. */
function watch(): void {
  if (document.hidden) return;
  const quiet = now() - lastBatch;
  const c = connection.value;
  if (c.state === "live" && quiet > SILENT_MS) connection.value = { state: "silent", since: lastBatch };
  if (c.state === "silent" && quiet > DEAD_MS) current?.abort("dead");
  if (c.state === "lost" || c.state === "silent") tick.value += 1;
}

async function askBest(): Promise<void> {
  if (connection.value.state !== "live" || document.hidden) return;
  try {
    best.value = (await get<BestAnswer>("best", [["n", String(BEST)]])).best;
  } catch {
    // The stream says when the daemon is gone.
  }
}

/** Zones change slower still. */
const ZONES_MS = 10_000;

async function askZones(): Promise<void> {
  if (connection.value.state !== "live" || document.hidden) return;
  try {
    partial.value = (await get<ZoneView[]>("zones")).some((z) => z.partial);
  } catch {
    // As above.
  }
}

let filled = 0;

/** Fills the sparklines with what the daemon remembers, one trace after the other, so that no answer is large. */
async function fill(): Promise<void> {
  filled += 1;
  const run = filled;
  const each: TraceName[] = TRACES;
  for (const name of each) {
    if (MADE_OF[name].some((a) => table.attribute(a) === undefined)) continue;
    try {
      const answers = [];
      for (const attribute of MADE_OF[name]) {
        const asked: [string, string][] = [
          ["attribute", attribute],
          ["seconds", String(CELLS * CELL_SECONDS)],
          ["points", String(CELLS)],
        ];
        answers.push(await get<SeriesAnswer>("series", asked));
      }
      if (run !== filled) return;
      fillFrom(name, answers);
    } catch {
      // Sparklines then begin now.
      return;
    }
  }
  tick.value += 1;
}

let asked = 0;

/** Filters by an expression; one that the daemon refuses changes nothing but `refused`. */
export async function filter(expression: string): Promise<void> {
  if (expression === where.value) {
    refused.value = "";
    return;
  }
  asked += 1;
  const mine = asked;
  if (expression) {
    // A question that costs little tells what is wrong with it.
    try {
      await get("nodes", [
        ["where", expression],
        ["state", "left"],
      ]);
    } catch (e) {
      if (e instanceof Refused && e.status === 400) {
        if (mine === asked) refused.value = e.message;
        return;
      }
    }
    if (mine !== asked) return;
  }
  refused.value = "";
  where.value = expression;
  current?.abort("changed");
}
