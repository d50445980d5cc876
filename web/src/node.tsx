// One node: its charts, its health in words, what it is, what is claimed of it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Attribute, type ClaimView, type SeriesAnswer, get, words } from "./api";
import { type Chart, ChartView, type Past, type Zoom } from "./charts";
import { nodeAddress, place } from "./dom";
import { Health } from "./health";
import { connection, streams } from "./live";
import { Machine } from "./machine";
import { Nothing } from "./overview";
import { Age, Command, Empty, StateMark } from "./parts";
import { type Node, isBest, table, tick } from "./store";
import * as u from "./units";
import { Usage } from "./usage";

/** Stretches of time to look at: seconds, and points asked for at most. */
const STRETCHES: [string, number, number][] = [
  ["2 min", 120, 120],
  ["10 min", 600, 600],
  ["1 h", 3600, 900],
];
const CLAIMS_MS = 2_000;

export function NodePage() {
  void tick.value;
  const wanted = place.value.of;
  const all = table.list();
  if (all.length === 0) return <Nothing />;
  const node = table.nodes.get(wanted) ?? only(all.filter((n) => n.view.name === wanted || (wanted.length >= 4 && n.view.id.startsWith(wanted))));
  const alike = all.filter((n) => n.view.name === wanted);
  if (!node && alike.length > 1)
    return (
      <Empty title={`${alike.length} nodes are named ${wanted}`}>
        {alike.map((n) => (
          <p key={n.view.id}>
            <a href={nodeAddress(n.view.id)}>{n.view.id.slice(0, 16)}…</a> {n.view.state}, {n.view.addresses[0] ?? ""}
          </p>
        ))}
      </Empty>
    );
  if (!node)
    return (
      <Empty title="There is no such node">
        <p>
          No node is named <code>{wanted.slice(0, 80)}</code>, and no node's id begins with it. Nodes that have been down or gone for long are not shown; <code>peermon nodes --all</code> lists them.
        </p>
        <a href="#/nodes">all nodes</a>
      </Empty>
    );
  return <Page key={node.view.id} node={node} />;
}

const only = (nodes: Node[]) => (nodes.length === 1 ? nodes[0] : undefined);

function Page({ node }: { node: Node }) {
  void tick.value;
  const { view } = node;
  useEffect(() => {
    document.title = `${view.name}, peermon`;
  }, [view.name]);
  return (
    <>
      <div class="node-head">
        <h1>
          {isBest(view.id) && (
            <span class="star" title="One of the best to use now">
              ★{" "}
            </span>
          )}
          {view.name}
        </h1>
        <p>
          <StateMark state={view.state} /> for {u.seconds(node.since())}, values <Age node={node} /> old, zone <b>{view.zone}</b>
          {view.this && ", the node that answers"}
        </p>
        {node.textFact("source") && <p class="note">Its values are not its own: {node.textFact("source")}.</p>}
      </div>
      <Health node={node} />
      <Charts node={node} />
      {view.this && <Machine />}
      {view.this && <Usage />}
      <div class="columns-2">
        <Facts node={node} />
        <div>
          <Claims node={node} />
          <section class="panel" aria-label="Commands">
            <h2>On the command line</h2>
            <Command text={`peermon show ${quoted(view.name)}`} what="that shows this node" />
            {view.this && <Command text="peermon ps" what="that tells who uses it" />}
            <Command text={`peermon series ${quoted(view.name)} --last 10m`} what="that tells what it did" />
            <Command text={`ssh ${quoted(view.name)}`} what="that logs in here" />
          </section>
        </div>
      </div>
    </>
  );
}

/** A word for the shell: a name from elsewhere may have anything in it. */
export const quoted = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", `'\\''`)}'`);

function chartsOf(node: Node): Chart[] {
  const total = node.fact("mem.total") ?? 0;
  const known = (name: string) => table.attribute(name) !== undefined;
  const all: (Chart & { needs?: string })[] = [
    {
      title: "Processors",
      help: "Shares of all processors' time",
      top: 1,
      write: u.percent,
      lines: [
        { attribute: "cpu.busy", label: "busy", colour: "--c1" },
        { attribute: "cpu.iowait", label: "I/O wait", colour: "--c2" },
        { attribute: "cpu.steal", label: "stolen", colour: "--c3" },
      ],
    },
    {
      title: "Memory in use",
      help: "All memory less what a new program could use, and swap space",
      top: total,
      binary: true,
      write: u.bytes,
      lines: [
        { attribute: "mem.available", label: "memory", colour: "--c1", of: (v) => Math.max(0, total - v) },
        { attribute: "swap.used", label: "swap", colour: "--c2" },
      ],
    },
    {
      title: "Load",
      help: "Processes running or waiting, averaged over one minute, and those able to run right now",
      top: node.fact("cpu.threads") ?? 1,
      write: u.number,
      lines: [
        { attribute: "load.1", label: "load", colour: "--c1" },
        { attribute: "procs.running", label: "running", colour: "--c2" },
      ],
    },
    {
      title: "Network",
      help: "Bytes a second on all interfaces but loopback",
      write: u.rate,
      lines: [
        { attribute: "net.rx.rate", label: "received", colour: "--c1" },
        { attribute: "net.tx.rate", label: "sent", colour: "--c2" },
      ],
    },
    {
      title: "Pressure",
      help: "Shares of time in which some task waited",
      top: 0.1,
      write: u.percent,
      lines: [
        { attribute: "pressure.cpu", label: "processor", colour: "--c1" },
        { attribute: "pressure.memory", label: "memory", colour: "--c3" },
        { attribute: "pressure.io", label: "disks", colour: "--c2" },
      ],
    },
    { title: "Disk", help: "Share of time in which the busiest disk had work", top: 1, write: u.percent, lines: [{ attribute: "disk.busy", label: "busy", colour: "--c1" }] },
    {
      title: "GPUs",
      help: "The busiest GPU, and the memory of all",
      top: 1,
      write: u.percent,
      needs: "gpu.busy",
      lines: [
        { attribute: "gpu.busy", label: "busy", colour: "--c1" },
        { attribute: "gpu.mem.used", label: "memory", colour: "--c2" },
      ],
    },
    { title: "Temperature", help: "The hottest sensor", top: 60, write: u.celsius, needs: "temperature.max", lines: [{ attribute: "temperature.max", label: "hottest", colour: "--c2" }] },
  ];
  return all.filter((c) => (c.needs ? node.vital(c.needs) !== null : c.lines.some((l) => known(l.attribute))));
}

function Charts({ node }: { node: Node }) {
  const [stretch, setStretch] = useState(0);
  const [zoom, setZoom] = useState<Zoom | null>(null);
  const [problem, setProblem] = useState("");
  const [version, setVersion] = useState(0);
  const past = useRef<Past>({ times: [], values: new Map() });
  const kind = `${table.attributes.length} ${node.vital("gpu.busy") !== null} ${node.vital("temperature.max") !== null} ${node.fact("mem.total")} ${node.fact("cpu.threads")}`;
  const charts = useMemo(() => chartsOf(node), [node, kind]);
  const [, seconds, points] = STRETCHES[stretch]!;
  const live = connection.value.state === "live";

  // What the daemon remembers, at open, with another stretch, and after the daemon was away.
  useEffect(() => {
    if (!live) return;
    const stop = new AbortController();
    const names = [...new Set(charts.flatMap((c) => c.lines.map((l) => l.attribute)))].filter((a) => table.attribute(a) !== undefined);
    const query: [string, string][] = [
      ["node", node.view.id],
      ["seconds", String(seconds)],
      ["points", String(points)],
      ...names.map((n): [string, string] => ["attribute", n]),
    ];
    get<SeriesAnswer>("series", query, stop.signal).then(
      (answer) => {
        past.current = fromSeries(answer);
        setProblem("");
        setVersion((v) => v + 1);
      },
      (e: unknown) => {
        if (!stop.signal.aborted) setProblem(words(e));
      },
    );
    return () => stop.abort();
  }, [node, stretch, charts, live, streams.value]);

  // Then second by second.
  const batch = tick.value;
  useEffect(() => {
    if (!live) return;
    append(past.current, node, seconds);
    setVersion((v) => v + 1);
  }, [batch]);

  return (
    <section class="charts" aria-label="Charts">
      <div class="panel-head">
        <h2>Now and before</h2>
        <span class="choices" role="group" aria-label="How far back">
          {STRETCHES.map(([name], i) => (
            <button
              key={name}
              type="button"
              aria-pressed={i === stretch}
              onClick={() => {
                setStretch(i);
                setZoom(null);
              }}
            >
              {name}
            </button>
          ))}
        </span>
        {zoom ? (
          <button type="button" onClick={() => setZoom(null)}>
            show all of it
          </button>
        ) : (
          <span class="dim hint">drag to zoom, double-click to go back</span>
        )}
      </div>
      {problem && <p class="warn">What was before is not shown: {problem}</p>}
      <div class="chart-grid">
        {charts.map((c) => (
          <ChartView key={c.title} chart={c} past={past.current} zoom={zoom} onZoom={setZoom} version={version} />
        ))}
      </div>
    </section>
  );
}

function fromSeries(answer: SeriesAnswer): Past {
  const n = answer.series[0]?.values.length ?? 0;
  const end = Date.now() / 1000 - answer.to_seconds_ago;
  const times = Array.from({ length: n }, (_, i) => end - (n - 1 - i) * answer.step_seconds);
  return { times, values: new Map(answer.series.map((s) => [s.attribute, s.values])) };
}

/** Takes the values of now to the end, and what is too old away. */
function append(past: Past, node: Node, seconds: number): void {
  const t = Date.now() / 1000;
  const last = past.times[past.times.length - 1];
  if (last !== undefined && t - last < 0.5) return;
  const old = past.times.findIndex((x) => x > t - seconds);
  const drop = old < 0 ? past.times.length : old;
  past.times.splice(0, drop);
  past.times.push(t);
  for (const name of table.attributes) {
    const all = past.values.get(name) ?? [];
    past.values.set(name, all);
    all.splice(0, drop);
    while (all.length < past.times.length - 1) all.unshift(null);
    all.push(node.up ? node.vital(name) : null);
  }
}

const GROUPS: [string, (name: string) => boolean][] = [
  ["Labels", (n) => n.startsWith("label.")],
  ["Machine", (n) => /^(host|os|cpu|mem|swap|boot)\./.test(n)],
  ["GPUs", (n) => n.startsWith("gpu.")],
  ["Network", (n) => /^(nic|tcp|net)\./.test(n)],
  ["Other", () => true],
];

let catalogue: Promise<Attribute[]> | undefined;

/** The catalogue, asked for once. */
function attributes(): Promise<Attribute[]> {
  catalogue ??= get<Attribute[]>("attributes").catch((e: unknown) => {
    catalogue = undefined;
    throw e;
  });
  return catalogue;
}

function Facts({ node }: { node: Node }) {
  const [all, setAll] = useState<Attribute[]>([]);
  useEffect(() => {
    attributes().then(setAll, () => undefined);
  }, []);
  const patterns = useMemo(() => all.map((a) => ({ a, like: new RegExp(`^${a.name.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace("{}", "(.+)")}$`) })), [all]);
  const of = (name: string) => patterns.find((p) => p.like.test(name))?.a;
  const facts = Object.entries(node.view.facts).filter(([name]) => name !== "source");
  const left = new Set(facts.map(([name]) => name));
  return (
    <section class="panel" aria-label="Facts">
      <h2>What it is</h2>
      {GROUPS.map(([title, belongs]) => {
        const mine = facts.filter(([name]) => left.has(name) && belongs(name));
        mine.forEach(([name]) => left.delete(name));
        return (
          mine.length > 0 && (
            <details key={title} open={title !== "Network" && title !== "Other"}>
              <summary>
                {title} <span class="dim">{mine.length}</span>
              </summary>
              <table class="facts">
                <tbody>
                  {mine.map(([name, value]) => (
                    <tr key={name}>
                      <th scope="row" title={of(name)?.help}>
                        {name}
                      </th>
                      <td>{written(name, value, of(name)?.unit)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </details>
          )
        );
      })}
      <p class="dim addresses">
        {node.view.addresses.join(", ")} · id {node.view.id.slice(0, 16)}… · life {node.view.incarnation} · every {u.seconds(node.view.period_seconds)}
      </p>
    </section>
  );
}

function written(name: string, value: number | string, unit: string | undefined): string {
  if (typeof value === "string") return value;
  // By that machine's own clock.
  if (name === "boot.time") return new Date(value * 1000).toLocaleString("en-GB");
  return u.inUnit(value, unit ?? "none");
}

function Claims({ node }: { node: Node }) {
  const [claims, setClaims] = useState<ClaimView[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    const ask = () =>
      get<ClaimView[]>("claims", [], stop.signal).then(
        (all) => setClaims(all.filter((c) => c.node_id === node.view.id)),
        () => undefined,
      );
    void ask();
    const timer = setInterval(() => void ask(), CLAIMS_MS);
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, [node.view.id]);
  return (
    <section class="panel" aria-label="Claims">
      <h2>Claims</h2>
      {claims.length === 0 ? (
        <p class="dim">Nobody has claimed anything of it.</p>
      ) : (
        <ul class="claims">
          {claims.map((c) => (
            <li key={`${c.by} ${c.number}`}>
              <b>
                {[c.cpus && `${u.number(c.cpus)} processors`, c.mem && u.bytes(c.mem), c.gpus && `${u.number(c.gpus)} GPUs`].filter(Boolean).join(", ")}
              </b>{" "}
              by {c.by ?? "a node that is gone"}, {u.seconds(c.left_seconds)} left
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
