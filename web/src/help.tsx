// Help: what the signs mean and which keys there are.

import { useEffect, useRef } from "preact/hooks";
import type { State } from "./api";
import { SIGNS } from "./parts";

const STATES: [State, string][] = [
  ["alive", "it publishes"],
  ["suspect", "it was silent in one period; its neighbours ask it"],
  ["stale", "its zone is cut off: what is shown was last heard"],
  ["down", "it was silent for two periods and answers nobody"],
  ["left", "it said that it leaves"],
];
const KEYS: [string, string][] = [
  ["/", "find a node; in the table: filter"],
  ["o  n  w  z  d", "overview, nodes, which machine, zones, daemon"],
  ["arrows, j k, PgUp PgDn, Home End", "move in the table or on the map"],
  ["Enter", "look at the node"],
  ["t", "change the colours"],
  ["Esc", "back"],
  ["?", "this help"],
];

export function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const d = dialog.current!;
    if (open && !d.open) d.showModal();
    if (!open && d.open) d.close();
  }, [open]);
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="help-title">
      <h2 id="help-title">What you see</h2>
      <dl class="pairs">
        {STATES.map(([s, what]) => (
          <>
            <dt class={`state-${s}`}>
              {SIGNS[s]} {s}
            </dt>
            <dd>{what}</dd>
          </>
        ))}
        <dt class="star">★</dt>
        <dd>the three to use now, as <code>peermon best -n 3</code> would choose</dd>
        <dt class="age late-1">age</dt>
        <dd>how old a value is: yellow from 3 periods on, red from 10</dd>
        <dt>–</dt>
        <dd>not known</dd>
      </dl>
      <h3>Keys</h3>
      <dl class="pairs">
        {KEYS.map(([key, what]) => (
          <>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </>
        ))}
      </dl>
      <p class="dim">
        A filter is a part of a name, or an expression, e.g. <code>cpu.busy &lt; 50% &amp;&amp; mem.available &gt; 8GiB</code>. Everything here comes from the daemon that serves this page; nothing else is asked.
      </p>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
