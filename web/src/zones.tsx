// Zones: how they hang together, and what each of them says of itself.

import { useEffect, useState } from "preact/hooks";
import { type ZoneView, get, words } from "./api";
import { connection } from "./live";
import { byName } from "./overview";
import { Bar, Empty } from "./parts";
import { type Node, table, tick } from "./store";
import * as u from "./units";

const EVERY_MS = 2_000;
/** Dots of one zone at most; what is more is a number. */
const DOTS = 60;

/** An answer that is asked for again and again while a view is open. */
export function useAnswer<T>(path: string, every: number): { answer: T | null; error: string } {
  const [state, setState] = useState<{ answer: T | null; error: string }>({ answer: null, error: "" });
  useEffect(() => {
    const stop = new AbortController();
    const ask = () =>
      get<T>(path, [], stop.signal).then(
        (answer) => setState({ answer, error: "" }),
        (e: unknown) => {
          if (!stop.signal.aborted) setState((s) => ({ ...s, error: words(e) }));
        },
      );
    void ask();
    const timer = setInterval(() => void ask(), every);
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, [path, every, connection.value.state === "live"]);
  return state;
}

export function Zones() {
  void tick.value;
  const { answer, error } = useAnswer<ZoneView[]>("zones", EVERY_MS);
  if (!answer) return error ? <Empty title="The zones are not known">{error}</Empty> : <p class="dim">Asking for the zones …</p>;
  if (answer.length === 0) return <Empty title="No zone is known">The daemon that answers is in none; its table is all there is.</Empty>;
  return (
    <>
      <h1 class="hidden">Zones</h1>
      <section class="panel" aria-label="Topology">
        <div class="panel-head">
          <h2>How zones hang together</h2>
          <span class="legend">
            <i class="dot up" /> node <i class="dot relay" /> relay, passes values on to other zones <i class="dot off" /> not up
          </span>
        </div>
        <Topology zones={answer} />
      </section>
      <div class="zone-list">
        {answer.map((z) => (
          <Zone key={z.name} zone={z} />
        ))}
      </div>
    </>
  );
}

interface Drawn {
  zone: ZoneView;
  x: number;
  y: number;
  r: number;
  nodes: Node[];
  /** Whether there is room to write the nodes' names. */
  named: boolean;
}

/** Names that fit around one zone. */
const NAMES = 16;
const WIDTH = 960;

/** The own zone in the middle, the others around it; a line is the way that values take between relays. */
function Topology({ zones }: { zones: ZoneView[] }) {
  const own = zones.find((z) => z.this) ?? zones[0];
  if (!own) return null;
  const nodes = table.list().sort(byName);
  const of = (z: ZoneView) => nodes.filter((n) => n.view.zone === z.name && n.view.state !== "left");
  const others = zones.filter((z) => z !== own);
  const height = others.length === 0 ? 300 : others.length < 3 ? 330 : 560;
  const middle: Drawn = { zone: own, x: WIDTH / 2, y: height / 2, r: others.length > 12 ? 70 : others.length > 2 ? 84 : others.length ? 96 : 118, nodes: of(own), named: others.length === 0 && of(own).length <= NAMES };
  const around = Math.min(others.length > 2 ? 68 : 84, Math.max(30, 620 / Math.max(others.length, 1)));
  const drawn = others.map((zone, i): Drawn => {
    const turn = (i / others.length) * 2 * Math.PI + (others.length < 3 ? Math.PI : -Math.PI / 2);
    const rx = WIDTH / 2 - around - 20;
    const ry = Math.max(height / 2 - around - 26, 0);
    return { zone, x: WIDTH / 2 + Math.cos(turn) * rx, y: height / 2 + Math.sin(turn) * ry, r: around, nodes: of(zone), named: false };
  });
  const sentence = zones.map((z) => `${z.name}: ${z.totals?.up ?? z.nodes} up${z.stale ? ", cut off" : ""}, relays ${z.relays.join(", ") || "none"}`).join("; ");
  return (
    <div class="topology">
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={`${zones.length} ${zones.length === 1 ? "zone" : "zones"}. ${sentence}`}>
        {drawn.map((d) => (
          <line key={d.zone.name} class={d.zone.stale ? "way stale" : "way"} x1={middle.x} y1={middle.y} x2={d.x} y2={d.y} />
        ))}
        {[middle, ...drawn].map((d) => (
          <Circle key={d.zone.name} drawn={d} />
        ))}
      </svg>
    </div>
  );
}

function Circle({ drawn: { zone, x, y, r, nodes, named } }: { drawn: Drawn }) {
  const shown = nodes.slice(0, DOTS);
  const relays = new Set(zone.relays);
  const dot = Math.max(2.5, Math.min(7, (Math.PI * r) / Math.max(shown.length, 1) / 1.6));
  const ring = r - dot - 6;
  const up = zone.totals?.up ?? zone.nodes;
  return (
    <g class={`zone ${zone.this ? "own" : ""} ${zone.stale ? "stale" : ""}`}>
      <circle cx={x} cy={y} r={r} />
      {shown.map((n, i) => {
        const turn = (i / shown.length) * 2 * Math.PI - Math.PI / 2;
        const [cx, cy] = [x + Math.cos(turn) * ring, y + Math.sin(turn) * ring];
        const relay = relays.has(n.view.name);
        return (
          <g key={n.view.id}>
            <title>
              {n.view.name}, {n.view.state}
              {relay ? ", relay" : ""}
            </title>
            {named && (
              <text class="node-name" x={x + Math.cos(turn) * (r + 12)} y={y + Math.sin(turn) * (r + 14) + 4} text-anchor={Math.abs(Math.cos(turn)) < 0.2 ? "middle" : Math.cos(turn) > 0 ? "start" : "end"}>
                {n.view.name}
              </text>
            )}
            <circle class={`dot ${n.up ? (relay ? "relay" : "up") : "off"}`} cx={cx} cy={cy} r={relay ? dot + 1.5 : dot} />
          </g>
        );
      })}
      <text class="zone-name" x={x} y={y - 4} text-anchor="middle">
        {zone.name}
      </text>
      <text x={x} y={y + 14} text-anchor="middle">
        {u.whole(up)} up{zone.stale ? ", cut off" : ""}
      </text>
    </g>
  );
}

function Zone({ zone }: { zone: ZoneView }) {
  const t = zone.totals;
  return (
    <section class={`panel zone-card ${zone.stale ? "stale" : ""}`} aria-label={`Zone ${zone.name}`}>
      <div class="panel-head">
        <h2>{zone.name}</h2>
        <span class="dim">
          {zone.this ? "this zone" : zone.partial ? "only its relays and best nodes are here" : ""}
          {zone.stale ? " cut off, or all of it is down" : ""}
        </span>
      </div>
      <p>
        <b>{u.whole(t?.up ?? zone.nodes)}</b> up{t && t.down > 0 ? `, ${u.whole(t.down)} down` : ""}, values {zone.age_seconds === null ? "never heard" : `${u.age(zone.age_seconds)} old`}, every{" "}
        {u.seconds(zone.period_seconds)}
      </p>
      {t && (
        <>
          <p>
            CPU <b>{u.percent(t.cpu_busy)}</b> of {u.whole(t.threads)} threads
          </p>
          <Bar level={t.cpu_busy} label={`Processors ${u.percent(t.cpu_busy)} busy`} />
          <p>
            memory <b>{t.mem_total > 0 ? u.percent(1 - t.mem_available / t.mem_total) : u.DASH}</b> of {u.bytes(t.mem_total)}
            {t.gpus > 0 && `, ${u.whole(t.gpus)} GPUs`}
          </p>
        </>
      )}
      <p class="dim">relays: {zone.relays.join(", ") || "none"}</p>
    </section>
  );
}
