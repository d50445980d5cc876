// The table as the page holds it: nodes, their ages, and the last two minutes of what has sparklines.

import { signal } from "@preact/signals";
import type { BestNode, Live, NodeView, SeriesAnswer, State } from "./api";
import { LEVELS, TRACES, type TraceName, memoryUsed, traffic, trafficLevel } from "./columns";

/** A cell of a sparkline is the mean of so many seconds, and so many are kept: two minutes. */
export const CELL_SECONDS = 4;
export const CELLS = 30;
/** A level is kept in 250 steps, finer than any screen shows. */
const STEPS = 250;
const UNKNOWN = 255;
/** What is older than so many periods is told loudly. */
export const LATE_PERIODS = 3;
export const OLD_PERIODS = 10;

const now = () => performance.now() / 1000;

export class Node {
  values: (number | null)[] = [];
  passes = true;
  /** The age it had, and when. */
  private told: number | null = null;
  private toldAt = 0;
  private stateAt = now();
  private readonly past: Uint8Array[] = TRACES.map(() => new Uint8Array(CELLS).fill(UNKNOWN));
  private cell = 0;
  private readonly sums = new Float64Array(TRACES.length);
  private readonly counts = new Uint16Array(TRACES.length);

  constructor(
    public place: number,
    public view: NodeView,
  ) {}

  get up(): boolean {
    return this.view.state === "alive" || this.view.state === "suspect";
  }

  vital(name: string): number | null {
    const i = table.attribute(name);
    return i === undefined ? null : (this.values[i] ?? null);
  }

  fact(name: string): number | null {
    const v = this.view.facts[name];
    return typeof v === "number" ? v : null;
  }

  textFact(name: string): string {
    const v = this.view.facts[name];
    return v === undefined ? "" : String(v);
  }

  /** How old its values are now, in seconds. */
  age(): number | null {
    return this.told === null ? null : this.told + (now() - this.toldAt);
  }

  setAge(age: number | null): void {
    this.told = age;
    this.toldAt = now();
  }

  setView(view: NodeView): void {
    this.view = view;
    this.stateAt = now();
  }

  /** How long it has been in its state, in seconds. */
  since(): number {
    return this.view.state_seconds + (now() - this.stateAt);
  }

  /** 0: fresh, 1: late, 2: old. */
  lateness(): number {
    const age = this.age();
    if (age === null) return 2;
    const periods = age / Math.max(this.view.period_seconds, 0.1);
    return periods >= OLD_PERIODS ? 2 : periods >= LATE_PERIODS ? 1 : 0;
  }

  /** Takes the values of now into the sparklines. */
  remember(cell: number): void {
    if (cell !== this.cell) this.advance(cell);
    if (!this.up) return;
    TRACES.forEach((name, i) => {
      const level = LEVELS[name](this);
      if (level === null) return;
      this.sums[i]! += level;
      this.counts[i]! += 1;
      this.past[i]![CELLS - 1] = Math.round((this.sums[i]! / this.counts[i]!) * STEPS);
    });
  }

  private advance(cell: number): void {
    const by = Math.min(cell - this.cell, CELLS);
    for (const past of this.past) {
      past.copyWithin(0, by);
      past.fill(UNKNOWN, CELLS - by);
    }
    this.cell = cell;
    this.sums.fill(0);
    this.counts.fill(0);
  }

  /** Puts remembered levels before those that came since; oldest first, the last one ends now. */
  fill(name: TraceName, levels: (number | null)[], cell: number): void {
    if (cell !== this.cell) this.advance(cell);
    const past = this.past[TRACES.indexOf(name)]!;
    levels.slice(-CELLS).forEach((level, i, all) => {
      const to = CELLS - all.length + i;
      if (past[to] === UNKNOWN && level !== null) past[to] = Math.round(Math.min(1, Math.max(0, level)) * STEPS);
    });
  }

  /** A level of the past, 0 to 1, or null; 0 is the oldest cell. */
  at(name: TraceName, cell: number): number | null {
    const v = this.past[TRACES.indexOf(name)]![cell]!;
    return v === UNKNOWN ? null : v / STEPS;
  }
}

export interface Totals {
  states: Record<State, number>;
  threads: number;
  /** Of the threads, those whose work is known, and how many of them work. */
  watched: number;
  busy: number;
  memTotal: number;
  memUsed: number;
  load: number;
  rx: number;
  tx: number;
  gpus: number;
}

class Table {
  nodes = new Map<string, Node>();
  attributes: string[] = [];
  filtered = false;
  private index = new Map<string, number>();
  private places: (Node | undefined)[] = [];

  attribute(name: string): number | undefined {
    return this.index.get(name);
  }

  /** Takes a batch; with `first` it is the first one of a new stream, which tells everything. */
  take(live: Live, first: boolean): void {
    const before = this.nodes;
    if (first) {
      this.nodes = new Map();
      this.places = [];
    }
    if (live.attributes) {
      this.attributes = live.attributes;
      this.index = new Map(live.attributes.map((name, i) => [name, i]));
    }
    for (const place of live.gone ?? []) {
      const node = this.places[place];
      if (node) this.nodes.delete(node.view.id);
      this.places[place] = undefined;
    }
    for (const { place, node: view } of live.nodes ?? []) {
      const node = (first ? before.get(view.id) : this.nodes.get(view.id)) ?? new Node(place, view);
      node.place = place;
      node.setView(view);
      this.places[place] = node;
      this.nodes.set(view.id, node);
    }
    for (const [place, values] of live.rows) {
      const node = this.places[place];
      if (node) node.values = values;
    }
    const cell = cellNow();
    this.filtered = live.passes !== undefined;
    const passes = new Set(live.passes);
    this.places.forEach((node, place) => {
      if (!node) return;
      node.setAge(live.ages[place] ?? null);
      node.passes = !this.filtered || passes.has(place);
      node.remember(cell);
    });
  }

  list(): Node[] {
    return [...this.nodes.values()];
  }

  totals(): Totals {
    const states = { alive: 0, suspect: 0, stale: 0, down: 0, left: 0 };
    const t: Totals = { states, threads: 0, watched: 0, busy: 0, memTotal: 0, memUsed: 0, load: 0, rx: 0, tx: 0, gpus: 0 };
    for (const n of this.nodes.values()) {
      states[n.view.state] += 1;
      if (!n.up) continue;
      const threads = n.fact("cpu.threads") ?? 0;
      const busy = n.vital("cpu.busy");
      const total = n.fact("mem.total");
      const free = n.vital("mem.available");
      t.threads += threads;
      t.gpus += n.fact("gpu.count") ?? 0;
      if (busy !== null) {
        t.watched += threads;
        t.busy += busy * threads;
      }
      if (total !== null && free !== null) {
        t.memTotal += total;
        t.memUsed += total - free;
      }
      t.load += n.vital("load.1") ?? 0;
      t.rx += n.vital("net.rx.rate") ?? 0;
      t.tx += n.vital("net.tx.rate") ?? 0;
    }
    return t;
  }

  /** The cluster's past: the mean of a level over the nodes that are up, by what `weight` says. */
  past(name: TraceName, weight: (n: Node) => number): (number | null)[] {
    const sums = new Float64Array(CELLS);
    const weights = new Float64Array(CELLS);
    for (const n of this.nodes.values()) {
      if (!n.up) continue;
      const w = weight(n);
      for (let i = 0; i < CELLS; i++) {
        const level = n.at(name, i);
        if (level === null) continue;
        sums[i]! += level * w;
        weights[i]! += w;
      }
    }
    return Array.from(sums, (sum, i) => (weights[i]! > 0 ? sum / weights[i]! : null));
  }
}

export const cellNow = () => Math.floor(Date.now() / 1000 / CELL_SECONDS);

/** Fills the sparklines of one trace with what the daemon remembers. */
export function fillFrom(name: TraceName, answers: SeriesAnswer[]): void {
  const cell = cellNow();
  const of = answers.map((a) => new Map(a.series.map((s) => [s.id, s.values])));
  for (const node of table.nodes.values()) {
    const values = of.map((m) => m.get(node.view.id));
    const first = values[0];
    if (!first) continue;
    const total = node.fact("mem.total");
    const threads = node.fact("cpu.threads");
    const level = (i: number): number | null => {
      const all = values.map((v) => v?.[i] ?? null);
      const known = all.filter((v): v is number => v !== null);
      const a = all[0] ?? null;
      switch (name) {
        case "mem":
          return a === null || !total ? null : 1 - a / total;
        case "load":
          return a === null || !threads ? null : a / threads;
        case "net":
          return known.length < 2 ? null : trafficLevel(known[0]! + known[1]!);
        case "press":
          return known.length ? Math.max(...known) : null;
        default:
          return a;
      }
    };
    node.fill(name, Array.from(first, (_, i) => level(i)), cell);
  }
}

/** The attributes that a trace is made of. */
export const MADE_OF: Record<TraceName, string[]> = {
  cpu: ["cpu.busy"],
  mem: ["mem.available"],
  net: ["net.rx.rate", "net.tx.rate"],
  press: ["pressure.cpu", "pressure.memory", "pressure.io"],
  load: ["load.1"],
  disk: ["disk.busy"],
  gpu: ["gpu.busy"],
};

export const table = new Table();
/**
 * Counts batches, and half seconds while none comes. Whatever shows nodes reads it: a component that reads any signal is drawn anew only
 * when one of those that it reads changes, or its properties do.
 */
export const tick = signal(0);
/** The ones to use now, as `peermon best -n 3` would choose. */
export const best = signal<BestNode[]>([]);
export const isBest = (id: string) => best.value.some((b) => b.id === id);

export { memoryUsed, traffic };
