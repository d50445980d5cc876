// The map: a cell for each node, as large as lets all of them be seen, coloured by what one chooses.

import { useEffect, useRef, useState } from "preact/hooks";
import { colour, css } from "./colour";
import { COLOURS, type Column } from "./columns";
import { dark, go, nodeAddress } from "./dom";
import { SIGNS } from "./parts";
import { CELLS, type Node, isBest, tick, best } from "./store";
import * as u from "./units";

/** Widths and heights of cells, the largest first: with names and a sparkline, with a number, then plain down to 6 pixels. */
const SIZES: (readonly [number, number])[] = [
  [184, 150],
  [184, 104],
  [160, 88],
  [136, 72],
  [112, 60],
  [88, 46],
  [64, 34],
  [48, 28],
  ...Array.from({ length: 31 }, (_, i) => [36 - i, Math.round((36 - i) * 0.9)] as const),
];
/** Large cells are made so much narrower if that spares a row. */
const SQUEEZE = 0.85;
/** Large cells are stretched to fill their row, by so much at most. */
const STRETCH = 1.5;
/** Times of drawing that are kept for who measures. */
const DRAWS = 100;
const TITLE = 22;
const GAP = 8;

interface Cell {
  x: number;
  y: number;
  node: Node;
}
interface Layout {
  width: number;
  height: number;
  cell: readonly [number, number];
  cells: Cell[];
  titles: { y: number; text: string }[];
}

function arrange(groups: [string, Node[]][], width: number, room: number): Layout {
  const titled = groups.length > 1;
  const most = Math.max(...groups.map(([, nodes]) => nodes.length));
  for (const size of SIZES) {
    const fit = Math.floor(width / size[0]);
    if (fit < 2 && most > 1 && size[0] > 88) continue;
    const perRow = size[0] >= 88 && most <= width / (size[0] * SQUEEZE) ? most : Math.max(1, Math.min(most, fit));
    const cell = size[0] < 88 ? size : ([Math.min(width / perRow, size[0] * STRETCH), size[1]] as const);
    const cells: Cell[] = [];
    const titles: Layout["titles"] = [];
    let y = 0;
    for (const [name, nodes] of groups) {
      if (titled) {
        titles.push({ y, text: `${name}  ${nodes.length}` });
        y += TITLE;
      }
      nodes.forEach((node, i) => cells.push({ x: (i % perRow) * cell[0], y: y + Math.floor(i / perRow) * cell[1], node }));
      y += Math.ceil(nodes.length / perRow) * cell[1] + (titled ? GAP : 0);
    }
    if (y <= room || size === SIZES[SIZES.length - 1]) return { width, height: Math.max(y, 1), cell, cells, titles };
  }
  throw new Error("there is a smallest size");
}

function draw(canvas: HTMLCanvasElement, layout: Layout, column: Column, at: string | null): void {
  const ratio = devicePixelRatio || 1;
  const [w, h] = layout.cell;
  const wide = Math.round(layout.width * ratio);
  const high = Math.round(layout.height * ratio);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.height = `${layout.height}px`;
  }
  const c = canvas.getContext("2d")!;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, layout.width, layout.height);
  const isDark = dark.value;
  const paper = css("--sunk");
  const muted = css("--muted");
  const accent = css("--star");
  const text = css("--text");
  const font = css("--font");
  c.textBaseline = "top";
  c.fillStyle = muted;
  c.font = `600 12px ${font}`;
  for (const t of layout.titles) c.fillText(t.text, 0, t.y + 4);
  const gap = w >= 28 ? 3 : w >= 12 ? 2 : 1;
  const round = w >= 64 ? 7 : w >= 22 ? 4 : w >= 12 ? 2 : 0;
  for (const { x, y, node } of layout.cells) {
    const level = node.up || node.view.state === "stale" ? (column.level?.(node) ?? null) : null;
    const paint = level === null ? { fill: paper, ink: muted } : colour(level, isDark);
    c.globalAlpha = node.view.state === "stale" || node.lateness() === 2 ? 0.45 : 1;
    c.fillStyle = paint.fill;
    c.beginPath();
    c.roundRect(x, y, w - gap, h - gap, round);
    c.fill();
    if (level === null) {
      c.strokeStyle = muted;
      c.lineWidth = 1;
      c.setLineDash(w >= 22 ? [3, 3] : []);
      c.stroke();
      c.setLineDash([]);
    }
    if (w >= 112 && column.trace && node.up) spark(c, node, column, x + 10, y + h * 0.56, w - gap - 20, h * 0.34, paint.ink);
    c.globalAlpha = 1;
    c.fillStyle = paint.ink;
    if (w >= 88) {
      c.font = `600 ${w >= 136 ? 13 : 11}px ${font}`;
      const star = isBest(node.view.id) ? "★ " : node.view.state === "alive" ? "" : `${SIGNS[node.view.state]} `;
      fit(c, star + node.view.name, x + 10, y + 8, w - gap - 20);
      c.font = `${w >= 136 ? 13 : 11}px ${font}`;
      fit(c, node.up ? column.text(node) : node.view.state, x + 10, y + (w >= 136 ? 26 : 23), w - gap - 20);
    } else if (w >= 36 && node.up) {
      c.font = `10px ${font}`;
      fit(c, column.text(node).replace(" %", "%"), x + 4, y + (h - gap) / 2 - 5, w - gap - 6);
    } else if (w >= 12 && !node.up) {
      c.font = `${Math.min(w - 3, 11)}px ${font}`;
      c.fillText(SIGNS[node.view.state], x + 2, y + 1);
    }
    if (isBest(node.view.id) || node.view.id === at) {
      c.strokeStyle = node.view.id === at ? text : accent;
      c.lineWidth = w >= 28 ? 2.5 : 2;
      c.beginPath();
      c.roundRect(x + 1, y + 1, w - gap - 2, h - gap - 2, round);
      c.stroke();
    }
  }
}

function spark(c: CanvasRenderingContext2D, node: Node, column: Column, x: number, y: number, w: number, h: number, ink: string): void {
  c.strokeStyle = ink;
  c.globalAlpha = 0.6;
  c.lineWidth = 1.5;
  c.beginPath();
  let pen = false;
  for (let i = 0; i < CELLS; i++) {
    const level = node.at(column.trace!, i);
    if (level === null) {
      pen = false;
      continue;
    }
    const px = x + (i / (CELLS - 1)) * w;
    const py = y + (1 - level) * h;
    if (pen) c.lineTo(px, py);
    else c.moveTo(px, py);
    pen = true;
  }
  c.stroke();
}

function fit(c: CanvasRenderingContext2D, text: string, x: number, y: number, room: number): void {
  let t = text;
  if (c.measureText(t).width > room) {
    while (t.length > 1 && c.measureText(`${t}…`).width > room) t = t.slice(0, -1);
    t = `${t}…`;
  }
  c.fillText(t, x, y);
}

/** What a node is in a sentence, for the tip and for screen readers. */
function sentence(node: Node, column: Column): string {
  const age = node.age();
  const old = age === null ? "nothing heard yet" : `${u.age(age)} old`;
  const star = isBest(node.view.id) ? ", one of the best to use now" : "";
  return `${node.view.name}, ${node.view.state}, ${column.title} ${column.text(node)}, ${old}${star}`;
}

export function NodeMap({ groups, column }: { groups: [string, Node[]][]; column: Column }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const layout = useRef<Layout | null>(null);
  const [size, setSize] = useState({ width: 0, room: 0 });
  const [at, setAt] = useState<{ id: string; keys: boolean } | null>(null);
  const frame = useRef(0);
  const pointer = useRef("");

  useEffect(() => {
    const element = box.current!;
    const measure = () => {
      const top = element.getBoundingClientRect().top + scrollY;
      setSize({ width: element.clientWidth, room: Math.max(260, innerHeight - top - 24) });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    addEventListener("resize", measure);
    return () => {
      observer.disconnect();
      removeEventListener("resize", measure);
    };
  }, []);

  // Read here so that a batch, another choice and another theme draw anew.
  const change = `${tick.value} ${best.value.length} ${dark.value}`;
  useEffect(() => {
    if (size.width === 0) return;
    layout.current = arrange(groups, size.width, size.room);
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      if (!canvas.current || !layout.current) return;
      performance.mark("map");
      draw(canvas.current, layout.current, column, at?.id ?? null);
      performance.measure("map.draw", "map");
      performance.clearMarks("map");
      if (performance.getEntriesByName("map.draw").length > DRAWS) performance.clearMeasures("map.draw");
    });
  }, [change, groups, column, size, at]);

  const find = (e: PointerEvent | MouseEvent): Cell | undefined => {
    const l = layout.current;
    if (!l) return undefined;
    const r = canvas.current!.getBoundingClientRect();
    const [x, y] = [e.clientX - r.left, e.clientY - r.top];
    return l.cells.find((c) => x >= c.x && x < c.x + l.cell[0] && y >= c.y && y < c.y + l.cell[1]);
  };
  const cells = layout.current?.cells ?? [];
  const here = at ? cells.find((c) => c.node.view.id === at.id) : undefined;

  const key = (e: KeyboardEvent) => {
    const l = layout.current;
    if (!l || l.cells.length === 0) return;
    // By identity: the cells are made anew with each batch.
    const i = at ? l.cells.findIndex((c) => c.node.view.id === at.id) : -1;
    const from = l.cells[Math.max(i, 0)]!;
    const beside = (down: number) => {
      // The nearest cell in the next row up or down.
      const rows = l.cells.filter((c) => (c.y - from.y) * down > 0);
      const y = down > 0 ? Math.min(...rows.map((c) => c.y)) : Math.max(...rows.map((c) => c.y));
      const row = rows.filter((c) => c.y === y);
      return row.reduce((a, b) => (Math.abs(b.x - from.x) < Math.abs(a.x - from.x) ? b : a), row[0] ?? from);
    };
    const to: Record<string, () => Cell | undefined> = {
      ArrowRight: () => l.cells[Math.min(i + 1, l.cells.length - 1)],
      ArrowLeft: () => l.cells[Math.max(i - 1, 0)],
      ArrowDown: () => (i < 0 ? from : beside(1)),
      ArrowUp: () => (i < 0 ? from : beside(-1)),
      Home: () => l.cells[0],
      End: () => l.cells[l.cells.length - 1],
    };
    if (e.key === "Enter" && here) {
      go(nodeAddress(here.node.view.id));
    } else if (e.key === "Escape") {
      setAt(null);
    } else if (to[e.key]) {
      const cell = to[e.key]!();
      if (cell) setAt({ id: cell.node.view.id, keys: true });
    } else {
      return;
    }
    e.preventDefault();
  };

  return (
    <div class="map" ref={box}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label={`Map of ${cells.length} nodes, coloured by ${column.title}. Arrow keys move, Enter opens a node.`}
        onPointerMove={(e) => {
          // When what is below a pointer that rests moves, browsers say that the pointer did: keys go on from where they were.
          const place = `${e.clientX} ${e.clientY}`;
          if (place === pointer.current) return;
          pointer.current = place;
          const cell = find(e);
          setAt(cell ? { id: cell.node.view.id, keys: false } : null);
        }}
        onPointerLeave={() => setAt(null)}
        onBlur={() => setAt(null)}
        onClick={(e) => {
          const cell = find(e);
          if (cell) go(nodeAddress(cell.node.view.id));
        }}
        onKeyDown={key}
      />
      <p class="hidden" aria-live="polite">
        {here && at?.keys ? sentence(here.node, column) : ""}
      </p>
      {here && layout.current && <Tip cell={here} layout={layout.current} />}
    </div>
  );
}

function Tip({ cell, layout }: { cell: Cell; layout: Layout }) {
  void tick.value;
  const { node } = cell;
  const right = cell.x > layout.width / 2;
  const place = {
    top: `${cell.y + layout.cell[1] + 6}px`,
    ...(right ? { right: `${Math.max(0, layout.width - cell.x - layout.cell[0])}px` } : { left: `${cell.x}px` }),
  };
  const age = node.age();
  return (
    <div class="tip" style={place} aria-hidden="true">
      <p>
        <strong>{node.view.name}</strong> {isBest(node.view.id) && <span class="star">★ use now</span>}
      </p>
      <p class="dim">
        {SIGNS[node.view.state]} {node.view.state}, {age === null ? "nothing heard yet" : `${u.age(age)} old`}, zone {node.view.zone}
      </p>
      <dl>
        {COLOURS.filter((c) => c.level!(node) !== null).map((c) => (
          <div key={c.name}>
            <dt>{c.title}</dt>
            <dd>{c.text(node)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** The scale that the map is coloured by. */
export function Scale({ column }: { column: Column }) {
  const steps = Array.from({ length: 24 }, (_, i) => i / 23);
  const [from, to] = column.name === "health" ? ["well", "unusable"] : column.name === "net" ? ["1 kB/s", "10 GB/s"] : ["0 %", "100 %"];
  const ends = column.name === "temp" ? ["30 °C", "95 °C"] : column.name === "load" ? ["0", "1 a thread"] : [from, to];
  return (
    <span class="scale" role="img" aria-label={`Colours from ${ends[0]} to ${ends[1]}`}>
      <span>{ends[0]}</span>
      <span class="scale-steps">
        {steps.map((s) => (
          <i key={s} style={{ background: colour(s, dark.value).fill }} />
        ))}
      </span>
      <span>{ends[1]}</span>
    </span>
  );
}
