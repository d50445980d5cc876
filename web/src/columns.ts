// Everything that is shown of a node in a cell: the columns of the table and what the map can be coloured by. The same words as
// `peermon top`.

import type { Node } from "./store";
import * as u from "./units";

export type TraceName = "cpu" | "mem" | "net" | "press" | "load" | "disk" | "gpu";

export interface Column {
  name: string;
  title: string;
  help: string;
  /** Shown unless the user says otherwise. */
  usual: boolean;
  /** Pixels of its text. */
  width: number;
  /** Where there is no room those with the least are left out. */
  priority: number;
  /** A sparkline beside it. */
  trace?: TraceName;
  /** What it is compared by. */
  value: (n: Node) => number | string | null;
  text: (n: Node) => string;
  /** How much it is of the most there can be, 0 to 1. */
  level?: (n: Node) => number | null;
  /** Seconds that go on while nothing new comes. */
  clock?: boolean;
}

const shown = (v: number | null, write: (v: number) => string) => (v === null ? u.DASH : write(v));
const clamp = (v: number | null) => (v === null ? null : Math.min(1, Math.max(0, v)));

export function memoryUsed(n: Node): number | null {
  const total = n.fact("mem.total");
  const free = n.vital("mem.available");
  return total === null || total <= 0 || free === null ? null : 1 - free / total;
}

export function traffic(n: Node): number | null {
  const rx = n.vital("net.rx.rate");
  const tx = n.vital("net.tx.rate");
  return rx === null || tx === null ? null : rx + tx;
}

export function pressure(n: Node): number | null {
  let most: number | null = null;
  for (const name of ["pressure.cpu", "pressure.memory", "pressure.io"]) {
    const v = n.vital(name);
    if (v !== null && (most === null || v > most)) most = v;
  }
  return most;
}

/** Traffic as a level: a logarithm from 1 kB/s to 10 GB/s. */
export const trafficLevel = (rate: number) => Math.log10(Math.max(rate, 1e3) / 1e3) / 7;

export function loadLevel(n: Node): number | null {
  const load = n.vital("load.1");
  const threads = n.fact("cpu.threads");
  return load === null || threads === null || threads <= 0 ? null : load / threads;
}

/** How much of the most there can be, for what has a past. */
export const LEVELS: Record<TraceName, (n: Node) => number | null> = {
  cpu: (n) => clamp(n.vital("cpu.busy")),
  mem: (n) => clamp(memoryUsed(n)),
  net: (n) => {
    const t = traffic(n);
    return t === null ? null : clamp(trafficLevel(t));
  },
  press: (n) => clamp(pressure(n)),
  load: (n) => clamp(loadLevel(n)),
  disk: (n) => clamp(n.vital("disk.busy")),
  gpu: (n) => clamp(n.vital("gpu.busy")),
};
export const TRACES = Object.keys(LEVELS) as TraceName[];

function text(name: string, title: string, help: string, usual: boolean, width: number, priority: number, value: (n: Node) => string): Column {
  return { name, title, help, usual, width, priority, value: (n) => value(n) || null, text: (n) => value(n) };
}

function share(name: string, title: string, help: string, usual: boolean, priority: number, value: (n: Node) => number | null, trace?: TraceName): Column {
  const column: Column = { name, title, help, usual, width: 62, priority, value, text: (n) => shown(value(n), u.percent), level: (n) => clamp(value(n)) };
  return trace ? { ...column, trace } : column;
}

function amount(name: string, title: string, help: string, usual: boolean, width: number, priority: number, value: (n: Node) => number | null, write: (v: number) => string): Column {
  return { name, title, help, usual, width, priority, value, text: (n) => shown(value(n), write) };
}

export const COLUMNS: Column[] = [
  text("name", "Name", "The node's name", true, 150, 255, (n) => n.view.name),
  text("state", "State", "How the others see it", true, 84, 190, (n) => n.view.state),
  { ...amount("age", "Age", "How old its values are", true, 62, 235, (n) => n.age(), u.age), clock: true },
  text("zone", "Zone", "The zone it is in", false, 96, 120, (n) => n.view.zone),
  share("cpu", "CPU", "Processor time that is not idle", true, 250, (n) => n.vital("cpu.busy"), "cpu"),
  share("mem", "Memory", "Memory in use", true, 245, memoryUsed, "mem"),
  amount("avail", "Available", "Memory available to new programs", true, 84, 210, (n) => n.vital("mem.available"), u.bytes),
  { ...amount("load", "Load", "Processes running or waiting, over a minute; coloured by thread", true, 58, 240, (n) => n.vital("load.1"), u.number), level: (n) => clamp(loadLevel(n)) },
  amount("cores", "Threads", "Hardware threads", true, 70, 200, (n) => n.fact("cpu.threads"), u.whole),
  { ...amount("net", "Network", "Bytes received and sent per second", true, 84, 230, traffic, u.rate), trace: "net", level: LEVELS.net },
  amount("rx", "Received", "Bytes received per second", false, 84, 100, (n) => n.vital("net.rx.rate"), u.rate),
  amount("tx", "Sent", "Bytes sent per second", false, 84, 99, (n) => n.vital("net.tx.rate"), u.rate),
  share("press", "Pressure", "Time in which some task waited for processor, memory or disk, the largest", true, 215, pressure, "press"),
  share("disk", "Disk", "Time in which the busiest disk had work", true, 180, (n) => n.vital("disk.busy")),
  share("iowait", "I/O wait", "Processor time that waited for disks", false, 60, (n) => n.vital("cpu.iowait")),
  share("gpu", "GPU", "Time in which the busiest GPU had work", true, 205, (n) => n.vital("gpu.busy"), "gpu"),
  share("gpumem", "GPU mem.", "GPU memory in use", true, 170, (n) => n.vital("gpu.mem.used")),
  {
    ...amount("temp", "Temp.", "The hottest sensor, in degrees Celsius", false, 62, 90, (n) => n.vital("temperature.max"), u.celsius),
    level: (n) => {
      const t = n.vital("temperature.max");
      return t === null ? null : clamp((t - 30) / 65);
    },
  },
  amount("run", "Running", "Processes able to run now", false, 72, 80, (n) => n.vital("procs.running"), u.whole),
  amount("users", "Users", "Users logged in", false, 58, 85, (n) => n.vital("users.logged_in"), u.whole),
  amount("swap", "Swap", "Swap space in use", false, 84, 70, (n) => n.vital("swap.used"), u.bytes),
  {
    ...share("health", "Health", "How far the node trusts itself", true, 195, (n) => n.vital("health")),
    level: (n) => {
      const h = n.vital("health");
      return h === null ? null : clamp(1 - h);
    },
  },
  { ...amount("since", "Since", "How long it has been in its state", false, 66, 75, (n) => n.since(), u.seconds), clock: true },
  text("version", "Version", "The version of its daemon", false, 78, 50, (n) => n.textFact("peermon.version")),
  text("address", "Address", "Where it receives gossip", false, 170, 55, (n) => n.view.addresses[0] ?? ""),
  text("source", "Source", "Where its values come from, if not from itself", true, 150, 110, (n) => n.textFact("source")),
  text("id", "ID", "Its identity", false, 84, 40, (n) => n.view.id.slice(0, 8)),
];

export const column = (name: string) => COLUMNS.find((c) => c.name === name);

/** What the map can be coloured by. */
export const COLOURS = COLUMNS.filter((c) => c.level);
