// The top of every view: where to go, what the whole cluster does, how fresh it is, and the search.

import { useRef, useState } from "preact/hooks";
import { type Theme, dark, go, nodeAddress, place, theme } from "./dom";
import { connection, partial } from "./live";
import { byName } from "./overview";
import { StateMark } from "./parts";
import { type Node, table, tick } from "./store";
import * as u from "./units";

const VIEWS = [
  ["overview", "Overview"],
  ["nodes", "Nodes"],
  ["which", "Which machine?"],
  ["zones", "Zones"],
  ["daemon", "Daemon"],
] as const;

export function Header({ onHelp }: { onHelp: () => void }) {
  void tick.value;
  const me = table.list().find((n) => n.view.this);
  return (
    <header>
      <div class="brand">
        <a href="#/" aria-label="peermon, overview">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M16 6 6.5 12.5v8L16 27l9.5-6.5v-8z" fill="none" stroke="currentColor" stroke-width="1.8" />
            <g fill="currentColor">
              <circle cx="16" cy="6" r="3.2" />
              <circle cx="6.5" cy="12.5" r="2.8" />
              <circle cx="25.5" cy="12.5" r="2.8" />
              <circle cx="6.5" cy="20.5" r="2.8" />
              <circle cx="25.5" cy="20.5" r="2.8" />
            </g>
            <circle class="brand-best" cx="16" cy="27" r="3.4" />
          </svg>
          <span>peermon</span>
        </a>
        {me && (
          <a class="me" href={nodeAddress(me.view.id)} title="The node that answers">
            on {me.view.name}
          </a>
        )}
      </div>
      <nav aria-label="Views">
        {VIEWS.map(([view, title]) => (
          <a key={view} href={`#/${view}`} aria-current={place.value.view === view ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <Search />
      <div class="tools">
        <Pill />
        <ThemeSwitch />
        <button type="button" class="icon" onClick={onHelp} aria-label="Help" title="Help (?)">
          ?
        </button>
      </div>
    </header>
  );
}

const THEMES: [Theme, string, string][] = [
  ["auto", "◐", "as the system"],
  ["light", "☀", "light"],
  ["dark", "☾", "dark"],
];

function ThemeSwitch() {
  void dark.value;
  const i = THEMES.findIndex(([t]) => t === theme.value);
  const [, sign, name] = THEMES[Math.max(i, 0)]!;
  return (
    <button
      type="button"
      class="icon"
      data-theme-switch
      aria-label={`Colours: ${name}. Change`}
      title={`Colours: ${name}`}
      onClick={() => {
        theme.value = THEMES[(i + 1) % THEMES.length]![0];
      }}
    >
      {sign}
    </button>
  );
}

/** Whether the daemon answers, and how old what is shown is. */
function Pill() {
  void tick.value;
  const c = connection.value;
  const me = table.list().filter((n) => n.up);
  const ages = me.map((n) => n.age()).filter((a): a is number => a !== null);
  const mean = ages.length ? ages.reduce((a, b) => a + b, 0) / ages.length : null;
  const text = {
    loading: "asking …",
    live: mean === null ? "live" : `live, ${u.age(mean)} old`,
    silent: "silent",
    lost: "no answer",
  }[c.state];
  return (
    <span class={`pill pill-${c.state}`} title="How old values are on average">
      <span aria-hidden="true">●</span> {text}
    </span>
  );
}

/** Says so while the daemon does not answer. */
export function Banner() {
  void tick.value;
  const c = connection.value;
  if (c.state === "loading" || c.state === "live") return <div role="alert" />;
  const since = u.seconds((performance.now() - c.since) / 1000);
  const wait = c.state === "lost" ? Math.max(0, (c.again - performance.now()) / 1000) : 0;
  return (
    <div role="alert" class="banner" data-state={c.state}>
      {table.nodes.size === 0 ? (
        <p>
          <strong>The daemon does not answer.</strong> {c.state === "lost" && c.why && `It says: ${c.why}. `}It is asked again {wait < 1 ? "now" : `in ${u.seconds(wait)}`}. If it stays so: is <code>peermon daemon</code>{" "}
          running on this machine?
        </p>
      ) : (
        <p>
          <strong>{c.state === "silent" ? "The daemon is silent" : "The daemon does not answer"}</strong> for {since}. What you see was heard before; it grows older.{" "}
          {c.state === "lost" && c.why && `It says: ${c.why}. `}
          {c.state === "lost" && (wait < 1 ? "Asking again …" : `It is asked again in ${u.seconds(wait)}.`)}
        </p>
      )}
    </div>
  );
}

/** What the whole cluster does. */
export function Totals() {
  void tick.value;
  const t = table.totals();
  const s = t.states;
  const least = partial.value ? "≥ " : "";
  const others = (["suspect", "stale", "down", "left"] as const).filter((k) => s[k] > 0);
  return (
    <div class="totals" role="group" aria-label="The cluster">
      <span>
        <span class="state-alive" aria-hidden="true">
          ●
        </span>{" "}
        <b>{least}{u.whole(s.alive)}</b> up
      </span>
      {others.map((k) => (
        <span key={k}>
          <StateMark state={k} word={false} /> <b>{u.whole(s[k])}</b> {k}
        </span>
      ))}
      <span>
        CPU <b>{t.watched > 0 ? u.percent(t.busy / t.watched) : u.DASH}</b> of {least}{u.whole(t.threads)} threads
      </span>
      <span>
        memory <b>{t.memTotal > 0 ? u.percent(t.memUsed / t.memTotal) : u.DASH}</b> of {least}{u.bytes(t.memTotal)}
      </span>
      <span>
        load <b>{least}{u.number(t.load)}</b>
      </span>
      <span>
        network ↓ <b>{least}{u.rate(t.rx)}</b> ↑ <b>{least}{u.rate(t.tx)}</b>
      </span>
      {t.gpus > 0 && (
        <span>
          GPUs <b>{least}{u.whole(t.gpus)}</b>
        </span>
      )}
    </div>
  );
}

/** Names that the search offers at once. */
const OFFERS = 8;

function Search() {
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const found = open && text.trim() ? matching(text.trim()) : [];
  const chosen = Math.min(at, found.length - 1);
  const take = (node: Node | undefined) => {
    setOpen(false);
    input.current?.blur();
    if (node) {
      setText("");
      go(nodeAddress(node.view.id));
    } else if (text.trim()) {
      go(`#/nodes?where=${encodeURIComponent(text.trim())}`);
    }
  };
  return (
    <div class="search" role="search">
      <input
        ref={input}
        id="search"
        type="search"
        list={undefined}
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        placeholder="Find a node  /"
        aria-label="Find a node"
        aria-expanded={found.length > 0}
        aria-controls="found"
        aria-autocomplete="list"
        aria-activedescendant={found.length > 0 ? `found-${chosen}` : undefined}
        value={text}
        onInput={(e) => {
          setText(e.currentTarget.value);
          setAt(0);
          setOpen(true);
        }}
        onBlur={() => setOpen(false)}
        onKeyDown={(e) => {
          if (e.key === "ArrowDown") setAt(Math.min(chosen + 1, found.length - 1));
          else if (e.key === "ArrowUp") setAt(Math.max(chosen - 1, 0));
          else if (e.key === "Enter") take(found[chosen]);
          else if (e.key === "Escape") {
            setText("");
            input.current?.blur();
          } else return;
          e.preventDefault();
        }}
      />
      <ul id="found" role="listbox" aria-label="Nodes found" class={found.length ? "found" : "hidden"}>
        {found.map((n, i) => (
          <li
            key={n.view.id}
            id={`found-${i}`}
            role="option"
            aria-selected={i === chosen}
            // Before the input loses the focus.
            onPointerDown={(e) => {
              e.preventDefault();
              take(n);
            }}
          >
            <StateMark state={n.view.state} word={false} /> {n.view.name} <small>{n.view.zone}</small>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Nodes with this in their names, those that begin with it first. */
function matching(text: string): Node[] {
  const t = text.toLowerCase();
  const all = table.list().filter((n) => n.view.name.toLowerCase().includes(t) || n.view.id.startsWith(t));
  const begins = (n: Node) => (n.view.name.toLowerCase().startsWith(t) ? 0 : 1);
  return all.sort((a, b) => begins(a) - begins(b) || byName(a, b)).slice(0, OFFERS);
}
