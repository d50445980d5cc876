// Small parts that several views show.

import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { State } from "./api";
import { copy, said } from "./dom";
import { CELLS, type Node } from "./store";
import * as u from "./units";

/** The signs of `peermon top`. */
export const SIGNS: Record<State, string> = { alive: "●", suspect: "◐", stale: "◌", down: "✖", left: "○" };

export function StateMark({ state, word = true }: { state: State; word?: boolean }) {
  return (
    <span class={`state state-${state}`}>
      <span aria-hidden={word}>{SIGNS[state]}</span>
      {word ? ` ${state}` : <span class="hidden">{state}</span>}
    </span>
  );
}

/** A sparkline of levels, 0 to 1, oldest first. */
export function Spark({ at, cells = CELLS, label }: { at: (cell: number) => number | null; cells?: number; label?: string }) {
  let line = "";
  let area = "";
  let start = -1;
  let lastX = 0;
  const close = () => {
    if (start >= 0) area += `L${lastX} 20L${start} 20Z`;
    start = -1;
  };
  for (let i = 0; i < cells; i++) {
    const level = at(i);
    if (level === null) {
      close();
      continue;
    }
    const x = (i / (cells - 1)) * 100;
    const y = (18.5 - level * 17).toFixed(1);
    line += `${start < 0 ? "M" : "L"}${x.toFixed(1)} ${y}`;
    area += `${start < 0 ? "M" : "L"}${x.toFixed(1)} ${y}`;
    if (start < 0) start = Number(x.toFixed(1));
    lastX = Number(x.toFixed(1));
  }
  close();
  const named = label ? ({ role: "img", "aria-label": label } as const) : ({ "aria-hidden": true } as const);
  return (
    <svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" {...named}>
      <path class="spark-area" d={area} />
      <path class="spark-line" d={line} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

export function Age({ node }: { node: Node }) {
  const age = node.age();
  return <span class={`age late-${node.lateness()}`}>{age === null ? u.DASH : u.age(age)}</span>;
}

/** A command to copy out. */
export function Command({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  const take = async () => {
    const done = await copy(text);
    said.value = done ? "copied" : "the browser does not let it be copied; select it instead";
    setCopied(done);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <div class="command">
      <code tabIndex={0}>{text}</code>
      <button type="button" onClick={() => void take()} aria-label={`Copy the command ${what}`}>
        {copied ? "copied ✓" : "copy"}
      </button>
    </div>
  );
}

/** What a part says while it has nothing to show. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <div>{children}</div>}
    </div>
  );
}

/** A bar of a share. */
export function Bar({ level, label }: { level: number | null; label: string }) {
  const width = `${((level ?? 0) * 100).toFixed(1)}%`;
  const heat = level === null ? "" : level > 0.9 ? "hot" : level > 0.75 ? "warm" : "";
  return (
    <div class={`bar ${heat}`} role="img" aria-label={label}>
      <div style={{ width }} />
    </div>
  );
}
