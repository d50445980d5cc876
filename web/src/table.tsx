// The table of nodes: search or filter, sort, columns to choose. Only the rows in sight are in the document.

import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { COLUMNS, type Column, column as find } from "./columns";
import { go, kept, nodeAddress, place, setQuery } from "./dom";
import { filter, refused } from "./live";
import { byName, collator, Nothing } from "./overview";
import { Age, Empty, Spark, StateMark } from "./parts";
import { type Node, isBest, table, tick } from "./store";
import * as u from "./units";

const ROW = 34;
const SPARK = 74;
/** Rows beyond what is in sight, so that scrolling does not show gaps. */
const BEYOND = 8;
/** An expression so long surely fits into its field on a wide screen. */
const MARKED_MAX = 60;
/** After the last key, before the daemon is asked. */
const PAUSE_MS = 300;

const sorted = kept<{ by: string; falls: boolean }>("table.sort", { by: "name", falls: false });
/** Names of columns; null: those that are usual and fit. */
const chosen = kept<string[] | null>("table.columns", null);

/** One word that is no attribute is a part of a name; everything else is an expression for the daemon. */
function isName(text: string): boolean {
  if (!/^[\p{L}\p{N}\-_.]+$/u.test(text)) return false;
  const words = new Set(["me", "hidden", "listen_only", "true", "false"]);
  return !words.has(text) && table.attribute(text) === undefined && !table.list().some((n) => text in n.view.facts);
}

/** Nodes in the order that was chosen last. */
export function inOrder(nodes: Node[]): Node[] {
  return nodes.sort(compare(find(sorted.value.by) ?? COLUMNS[0]!, sorted.value.falls));
}

/** Names of the columns that are shown. */
const visible = signal<string[]>([]);

export function Table() {
  void tick.value;
  const text = place.value.query.get("where") ?? "";
  const name = isName(text.trim()) ? text.trim().toLowerCase() : "";
  useEffect(() => {
    const asked = setTimeout(() => void filter(name ? "" : text.trim()), PAUSE_MS);
    return () => clearTimeout(asked);
  }, [text, name]);
  // Who leaves the table sees all nodes again.
  useEffect(() => () => void filter(""), []);

  const all = table.list();
  if (all.length === 0) return <Nothing />;
  const shown = all.filter((n) => (name ? n.view.name.toLowerCase().includes(name) : n.passes));
  inOrder(shown);
  const error = name || !refused.value ? "" : refused.value;
  return (
    <>
      <h1 class="hidden">Nodes</h1>
      <div class="table-tools">
        <Filter text={text} error={error} />
        <span class="dim count" role="status">
          {shown.length === all.length ? `${u.whole(all.length)} nodes` : `${u.whole(shown.length)} of ${u.whole(all.length)} nodes`}
        </span>
        <Columns nodes={all} />
      </div>
      {shown.length === 0 ? (
        <Empty title="No node is as the filter wants">
          <button type="button" onClick={() => setQuery(new URLSearchParams())}>
            show all {u.whole(all.length)}
          </button>
        </Empty>
      ) : (
        <Rows nodes={shown} known={all} />
      )}
    </>
  );
}

function compare(by: Column, falls: boolean) {
  const turn = falls ? -1 : 1;
  return (a: Node, b: Node): number => {
    const [x, y] = [by.value(a), by.value(b)];
    // What is not known stands last, whichever way round.
    if (x === null || y === null) return Number(x === null) - Number(y === null) || byName(a, b);
    const order = typeof x === "number" && typeof y === "number" ? x - y : collator.compare(String(x), String(y));
    return order * turn || byName(a, b);
  };
}

function Filter({ text, error }: { text: string; error: string }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div class="filter">
      <input
        ref={input}
        id="filter"
        type="search"
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        placeholder="a part of a name, or e.g. cpu.busy < 50% && mem.available > 8GiB"
        aria-label="Show only nodes with this in their names, or for which this expression holds"
        aria-invalid={error !== ""}
        aria-describedby={error ? "filter-error" : undefined}
        value={text}
        onInput={(e) => {
          const query = new URLSearchParams(place.value.query);
          if (e.currentTarget.value) query.set("where", e.currentTarget.value);
          else query.delete("where");
          setQuery(query);
        }}
        onKeyDown={(e) => {
          if (e.key === "Escape") input.current?.blur();
        }}
      />
      {error && <ExpressionError error={error} text={text} of="filter" />}
    </div>
  );
}

/** What is wrong with an expression: marks under the place in the field above, then the daemon's words. */
export function ExpressionError({ error, text, of }: { error: string; text: string; of: string }) {
  const [what, expression, marks, ...hints] = error.replace(/^\w+: /, "").split("\n");
  // In a field that may have scrolled, marks would stand under something else.
  const inField = expression?.slice(2) === text && text.length < MARKED_MAX;
  return (
    <div class="expression-error" id={`${of}-error`} role="alert">
      {marks && (
        <pre aria-hidden="true">
          {inField ? "" : `${expression?.slice(2)}\n`}
          {marks.slice(2)}
        </pre>
      )}
      <p>
        {what}
        {hints.length > 0 && `: ${hints.map((h) => h.trim()).join(" ")}`}
      </p>
    </div>
  );
}

const has = (c: Column, nodes: Node[]) => nodes.some((n) => c.value(n) !== null);
/** On narrower screens the room is worth more than sparklines. */
const SPARKS_FROM = 640;
const widthOf = (c: Column, room: number) => c.width + (c.trace && room >= SPARKS_FROM ? SPARK : 0) + (room >= SPARKS_FROM ? 20 : 14);

/** The columns that are shown: those chosen, or the usual ones that fit and that some node has anything for. */
function columnsFor(nodes: Node[], room: number): Column[] {
  if (chosen.value) return COLUMNS.filter((c) => c.name === "name" || chosen.value!.includes(c.name));
  const usual = COLUMNS.filter((c) => c.usual && has(c, nodes));
  const kept = new Set<Column>();
  let used = 0;
  for (const c of [...usual].sort((a, b) => b.priority - a.priority)) {
    used += widthOf(c, room);
    if (used > room && kept.size > 1) break;
    kept.add(c);
  }
  return COLUMNS.filter((c) => kept.has(c));
}

function Columns({ nodes }: { nodes: Node[] }) {
  const now = visible.value;
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (e: Event) => {
      if (details.current?.open && !details.current.contains(e.target as globalThis.Node)) details.current.open = false;
    };
    addEventListener("pointerdown", close);
    return () => removeEventListener("pointerdown", close);
  }, []);
  return (
    <details
      class="columns"
      ref={details}
      onKeyDown={(e) => {
        if (e.key === "Escape" && details.current) details.current.open = false;
      }}
    >
      <summary>Columns</summary>
      <div class="columns-list">
        {COLUMNS.filter((c) => c.name !== "name").map((c) => (
          <label key={c.name} title={c.help} class={has(c, nodes) ? "" : "dim"}>
            <input
              type="checkbox"
              checked={now.includes(c.name)}
              onChange={(e) => {
                chosen.value = e.currentTarget.checked ? [...now, c.name] : now.filter((n) => n !== c.name);
              }}
            />{" "}
            {c.title}
          </label>
        ))}
        <button type="button" onClick={() => (chosen.value = null)}>
          the usual ones that fit
        </button>
      </div>
    </details>
  );
}

/** The rows; `whole` shows all of them instead of scrolling. */
export function Rows({ nodes, known, whole = false }: { nodes: Node[]; known: Node[]; whole?: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600, width: 1000 });
  const [at, setAt] = useState("");
  useEffect(() => {
    const element = box.current!;
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight, width: element.clientWidth });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);

  // Whether a column has anything is looked at anew only when nodes come or the choice changes.
  const columns = useMemo(() => columnsFor(known, view.width), [known.length, view.width, chosen.value, table.attributes]);
  useEffect(() => {
    visible.value = columns.map((c) => c.name);
  }, [columns]);
  const first = Math.max(0, Math.floor(view.top / ROW) - BEYOND);
  const last = Math.min(nodes.length, Math.ceil((view.top + view.height) / ROW) + BEYOND);
  const index = nodes.findIndex((n) => n.view.id === at);

  const move = (to: number) => {
    const i = Math.max(0, Math.min(nodes.length - 1, to));
    setAt(nodes[i]!.view.id);
    const element = box.current!;
    const top = i * ROW;
    // Below the titles, which stay.
    if (top < element.scrollTop) element.scrollTop = top;
    if (top + 2 * ROW > element.scrollTop + element.clientHeight) element.scrollTop = top + 2 * ROW - element.clientHeight;
  };
  const key = (e: KeyboardEvent) => {
    if (e.target !== box.current) return;
    const page = Math.max(1, Math.floor(view.height / ROW) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -nodes.length, End: nodes.length };
    if (e.key === "Enter" && index >= 0) go(nodeAddress(at));
    else if (steps[e.key] !== undefined) move(index < 0 && Math.abs(steps[e.key]!) === 1 ? 0 : index + steps[e.key]!);
    else return;
    e.preventDefault();
  };

  const sort = (c: Column) => {
    // Numbers are more interesting from the top, texts from the beginning.
    const usual = nodes.some((n) => typeof c.value(n) === "number");
    sorted.value = sorted.value.by === c.name ? { by: c.name, falls: !sorted.value.falls } : { by: c.name, falls: usual };
  };
  return (
    <div
      class={whole ? "rows whole" : "rows"}
      ref={box}
      tabIndex={0}
      role="group"
      aria-label="Nodes. Arrow keys move, Enter opens a node."
      aria-activedescendant={index >= first && index < last ? `row-${at}` : undefined}
      onKeyDown={key}
    >
      <table aria-rowcount={nodes.length + 1}>
        <thead>
          <tr>
            {columns.map((c) => {
              const sortedHere = sorted.value.by === c.name;
              return (
                <th key={c.name} scope="col" class={numeric(c) ? "number" : ""} aria-sort={sortedHere ? (sorted.value.falls ? "descending" : "ascending") : undefined}>
                  <button type="button" onClick={() => sort(c)} title={c.help}>
                    {c.title}
                    <span aria-hidden="true">{sortedHere ? (sorted.value.falls ? " ▼" : " ▲") : ""}</span>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {first > 0 && (
            <tr aria-hidden="true" class="space">
              <td colSpan={columns.length} style={{ height: `${first * ROW}px` }} />
            </tr>
          )}
          {nodes.slice(first, last).map((n, i) => (
            <Row key={n.view.id} node={n} place={first + i} columns={columns} chosen={n.view.id === at} star={isBest(n.view.id)} sparks={view.width >= SPARKS_FROM} />
          ))}
          {last < nodes.length && (
            <tr aria-hidden="true" class="space">
              <td colSpan={columns.length} style={{ height: `${(nodes.length - last) * ROW}px` }} />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

interface RowOf {
  node: Node;
  /** Its place in the whole table. */
  place: number;
  columns: Column[];
  chosen: boolean;
  star: boolean;
  sparks: boolean;
}

/** One row; while the table scrolls, those that were in sight before are not drawn anew. */
function Row({ node, place, columns, chosen, star, sparks }: RowOf) {
  void tick.value;
  const { id } = node.view;
  return (
    <tr id={`row-${id}`} aria-rowindex={place + 2} class={`${node.up ? "" : "gone"} ${chosen ? "at" : ""} ${place % 2 ? "odd" : ""}`} onClick={() => go(nodeAddress(id))}>
      {columns.map((c) => (
        <CellOf key={c.name} node={node} column={c} star={star} sparks={sparks} />
      ))}
    </tr>
  );
}

const TEXTS = new Set(["name", "state", "zone", "version", "address", "source", "id"]);
const numeric = (c: Column) => !TEXTS.has(c.name);

function CellOf({ node, column, star, sparks }: { node: Node; column: Column; star: boolean; sparks: boolean }) {
  if (column.name === "name")
    return (
      <th scope="row">
        <span class="star" title={star ? "One of the best to use now" : undefined}>
          {star ? (
            <>
              <span aria-hidden="true">★</span>
              <span class="hidden">one of the best to use now: </span>
            </>
          ) : null}
        </span>
        <StateMark state={node.view.state} word={false} />{" "}
        <a href={nodeAddress(node.view.id)}>
          {node.view.name}
        </a>
      </th>
    );
  if (column.name === "state")
    return (
      <td class={`state-${node.view.state}`}>{node.view.state}</td>
    );
  if (column.name === "age")
    return (
      <td class="number">
        <Age node={node} />
      </td>
    );
  const level = column.level?.(node) ?? null;
  const heat = level === null || !node.up ? "" : level > 0.9 ? "hot" : level > 0.75 ? "warm" : "";
  return (
    <td class={`${numeric(column) ? "number" : ""} ${heat}`}>
      {sparks && column.trace && node.up && <Spark at={(i) => node.at(column.trace!, i)} />}
      <span style={column.trace ? { minWidth: `${column.width - 12}px` } : {}}>{column.text(node)}</span>
    </td>
  );
}
