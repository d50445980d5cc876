// Charts of one node, second by second, by uPlot. Hover and zoom are shared: all charts show the same time and the same stretch of it.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { css } from "./colour";
import { dark } from "./dom";
import * as u from "./units";

export interface Line {
  /** The vital, and what it is called in the legend. */
  attribute: string;
  label: string;
  /** A CSS variable. */
  colour: string;
  /** Drawn from the vital's value. */
  of?: (v: number) => number;
}

export interface Chart {
  title: string;
  help: string;
  lines: Line[];
  write: (v: number) => string;
  /** The least top of the scale: 1 for shares. */
  top?: number;
  /** Bytes are scaled by powers of 1,024. */
  binary?: boolean;
}

/** All values that a node page shows: times, oldest first, and a list for each vital. */
export interface Past {
  times: number[];
  values: Map<string, (number | null)[]>;
}

const HEIGHT = 150;
const sync = uPlot.sync("node");
/** The place in all charts' values that the pointer is over. */
const hover = signal<number | null>(null);

/** The stretch of time that all charts show; null: all there is. */
export interface Zoom {
  from: number;
  to: number;
}

export function ChartView({ chart, past, zoom, onZoom, version }: { chart: Chart; past: Past; zoom: Zoom | null; onZoom: (z: Zoom | null) => void; version: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const zoomed = useRef(onZoom);
  zoomed.current = onZoom;

  useEffect(() => {
    const element = box.current!;
    const p = new uPlot(options(chart, element.clientWidth, (z) => zoomed.current(z)), data(chart, past), element);
    plot.current = p;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== p.width) p.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      p.destroy();
    };
    // Another theme needs other colours, so the chart is made anew.
  }, [chart, dark.value]);

  useEffect(() => {
    const p = plot.current;
    if (!p) return;
    p.batch(() => {
      p.setData(data(chart, past), false);
      const first = past.times[0] ?? 0;
      const last = past.times[past.times.length - 1] ?? 1;
      const { from, to } = zoom ?? { from: first, to: last };
      p.setScale("x", { min: from, max: Math.max(to, from + 1) });
    });
  }, [version, zoom, chart, past, dark.value]);

  const at = (line: Line, i: number): string => {
    const v = past.values.get(line.attribute)?.[i] ?? null;
    return v === null ? u.DASH : chart.write(line.of ? line.of(v) : v);
  };
  const last = (line: Line) => at(line, past.times.length - 1);
  const over = hover.value;
  return (
    <figure class="chart">
      <figcaption>
        <h3 title={chart.help}>{chart.title}</h3>
        <span class="chart-now">
          {chart.lines.map((l) => (
            <span key={l.attribute}>
              <i style={{ background: `var(${l.colour})` }} aria-hidden="true" /> {l.label} <b>{over === null ? last(l) : at(l, over)}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={box} class="chart-box" role="img" aria-label={`${chart.title}: ${chart.lines.map((l) => `${l.label} ${last(l)}`).join(", ")}`} />
    </figure>
  );
}

function data(chart: Chart, past: Past): uPlot.AlignedData {
  const lines = chart.lines.map((l) => {
    const all = past.values.get(l.attribute) ?? past.times.map(() => null);
    return l.of ? all.map((v) => (v === null ? null : l.of!(v))) : all;
  });
  return [past.times, ...lines];
}

function options(chart: Chart, width: number, onZoom: (z: Zoom | null) => void): uPlot.Options {
  const muted = css("--muted");
  const grid = css("--line");
  const font = `11px ${css("--font")}`;
  const axis = { stroke: muted, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font };
  return {
    width: Math.max(width, 50),
    height: HEIGHT,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: true, auto: false },
      y: {
        range: (_, __, max) => {
          const top = Math.max(max ?? 0, chart.top ?? 0);
          return [0, top > 0 ? (top === chart.top ? top : top * 1.1) : 1];
        },
      },
    },
    axes: [
      { ...axis, size: 24, space: 70, values: (_, at) => at.map((t) => clock(t)) },
      { ...axis, size: 62, gap: 4, space: 32, values: (_, at) => at.map((v) => chart.write(v)), ...(chart.binary ? { incrs: BINARY } : {}) },
    ],
    series: [{}, ...chart.lines.map((l, i) => ({ label: l.label, stroke: css(l.colour), width: 1.5, points: { show: false }, ...(i === 0 ? { fill: `${css(l.colour)}22` } : {}) }))],
    cursor: {
      y: false,
      sync: { key: sync.key, setSeries: false },
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
    },
    hooks: {
      setSelect: [
        (p) => {
          if (p.select.width < 5) return;
          onZoom({ from: p.posToVal(p.select.left, "x"), to: p.posToVal(p.select.left + p.select.width, "x") });
          p.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      setCursor: [tell],
      ready: [
        (p) => {
          p.over.addEventListener("dblclick", () => onZoom(null));
          const tip = document.createElement("div");
          tip.className = "chart-tip";
          p.over.append(tip);
        },
      ],
    },
  };
}

const BINARY = Array.from({ length: 60 }, (_, i) => 2 ** i);

const clock = (t: number) => new Date(t * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Shows the time under the pointer, in this chart as in all others; the titles show the values. */
function tell(p: uPlot): void {
  const tip = p.over.querySelector<HTMLElement>(".chart-tip");
  if (!tip) return;
  const i = p.cursor.idx;
  const left = p.cursor.left ?? -1;
  if (i === null || i === undefined || left < 0) {
    tip.style.display = "none";
    hover.value = null;
    return;
  }
  hover.value = i;
  tip.textContent = clock(p.data[0][i]!);
  tip.style.display = "block";
  const most = p.over.clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(most, left - tip.offsetWidth / 2))}px`;
}
