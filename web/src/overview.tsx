// The first view: the cluster in a few numbers, the map of its nodes, what to use now and what to look at.

import { COLOURS, column as find } from "./columns";
import { kept, nodeAddress } from "./dom";
import { connection, partial } from "./live";
import { NodeMap, Scale } from "./map";
import { Bar, Empty, Spark } from "./parts";
import { Rows, inOrder } from "./table";
import { type Node, best, table, tick } from "./store";
import * as u from "./units";

/** So few nodes that all their values stand below the map. */
const FEW = 24;
const colouredBy = kept("map.colour", "cpu");
/** What the map puts together: `zone`, a label as it is called among the facts, or nothing. */
const groupedBy = kept("map.group", "zone");

export function Overview() {
  void tick.value;
  const nodes = table.list().sort(byName);
  if (nodes.length === 0) return <Nothing />;
  const by = find(colouredBy.value) ?? COLOURS[0]!;
  const known = COLOURS.filter((c) => c === by || nodes.some((n) => c.level!(n) !== null));
  const kinds = groupings(nodes);
  const group = kinds.includes(groupedBy.value) ? groupedBy.value : "";
  const groups: [string, Node[]][] = group === "" ? [["", nodes]] : inGroups(nodes, group);
  return (
    <>
      <h1 class="hidden">Overview</h1>
      <Cards />
      <div class="overview">
        <section class="panel map-panel" aria-label="Map">
          <div class="panel-head">
            <h2>Nodes</h2>
            <label>
              coloured by{" "}
              <select value={by.name} onChange={(e) => (colouredBy.value = e.currentTarget.value)}>
                {known.map((c) => (
                  <option key={c.name} value={c.name}>
                    {c.title}
                  </option>
                ))}
              </select>
            </label>
            {kinds.length > 0 && (
              <label>
                grouped by{" "}
                <select value={group} onChange={(e) => (groupedBy.value = e.currentTarget.value)}>
                  <option value="">nothing</option>
                  {kinds.map((k) => (
                    <option key={k} value={k}>
                      {k.replace(LABEL, "")}
                    </option>
                  ))}
                </select>
              </label>
            )}
            <Scale column={by} />
          </div>
          <NodeMap groups={groups} column={by} />
        </section>
        {nodes.length <= FEW && (
          <section class="few" aria-label="All values">
            <Rows nodes={inOrder([...nodes])} known={nodes} whole />
          </section>
        )}
        <div class="side">
          <UseNow />
          <LookAt nodes={nodes} />
        </div>
      </div>
    </>
  );
}

/** Names in order, `node10` after `node9`. One collator: making one takes longer than comparing. */
export const collator = new Intl.Collator("en", { numeric: true });
export const byName = (a: Node, b: Node) => collator.compare(a.view.name, b.view.name) || (a.view.id < b.view.id ? -1 : 1);

const LABEL = /^label\./;

/** What tells nodes apart: zones if there are several, and every label. */
function groupings(nodes: Node[]): string[] {
  const labels = new Set<string>();
  for (const n of nodes) for (const name in n.view.facts) if (LABEL.test(name)) labels.add(name);
  const zones = nodes.some((n) => n.view.zone !== nodes[0]!.view.zone);
  return [...(zones ? ["zone"] : []), ...[...labels].sort(collator.compare)];
}

/** Nodes of one zone or with the same label together; those that have none last. */
function inGroups(nodes: Node[], by: string): [string, Node[]][] {
  const groups = new Map<string, Node[]>();
  for (const n of nodes) {
    const of = by === "zone" ? n.view.zone : n.textFact(by);
    const group = groups.get(of);
    if (group) group.push(n);
    else groups.set(of, [n]);
  }
  const ordered = [...groups].sort(([a], [b]) => Number(a === "") - Number(b === "") || collator.compare(a, b));
  const key = by.replace(LABEL, "");
  const title = (of: string) => (of === "" ? `without ${key}` : by === "zone" ? of : `${key} ${of}`);
  return ordered.map(([of, group]) => [title(of), group]);
}

/** Before the first answer, or of a cluster without nodes. */
export function Nothing() {
  const c = connection.value;
  if (c.state === "loading")
    return (
      <div class="loading" role="status">
        <div class="loading-bars" aria-hidden="true">
          <i />
          <i />
          <i />
          <i />
          <i />
        </div>
        <p>Asking the daemon for its table …</p>
      </div>
    );
  if (c.state !== "live") return <Empty title="Nothing is known yet">The daemon has not answered since this page was opened.</Empty>;
  return (
    <Empty title="The table is empty">
      <p>This daemon knows no nodes yet. Bring in another machine:</p>
      <p>
        <code>peermon invite</code> here, then <code>peermon join TOKEN</code> there.
      </p>
    </Empty>
  );
}

function Cards() {
  void tick.value;
  const t = table.totals();
  const least = partial.value ? "≥ " : "";
  const threads = (n: Node) => n.fact("cpu.threads") ?? 0;
  const memory = (n: Node) => n.fact("mem.total") ?? 0;
  const cpu = table.past("cpu", threads);
  const mem = table.past("mem", memory);
  const net = table.past("net", () => 1);
  const press = table.past("press", () => 1);
  const busy = t.watched > 0 ? t.busy / t.watched : null;
  const used = t.memTotal > 0 ? t.memUsed / t.memTotal : null;
  const all = Object.values(t.states).reduce((a, b) => a + b, 0);
  const lastPressure = press[press.length - 1] ?? null;
  return (
    <div class="cards" role="group" aria-label="The cluster">
      <div class="card">
        <h2>Nodes up</h2>
        <p class="big">
          {least}
          {u.whole(t.states.alive)}
          <small> of {u.whole(all)}</small>
        </p>
        <p class="dim">
          {(["suspect", "stale", "down", "left"] as const)
            .filter((s) => t.states[s] > 0)
            .map((s) => `${t.states[s]} ${s}`)
            .join(", ") || "all of them"}
        </p>
      </div>
      <div class="card">
        <h2>Processors</h2>
        <p class="big">{busy === null ? u.DASH : u.percent(busy)}</p>
        <Bar level={busy} label={`Processors ${busy === null ? "not known" : u.percent(busy)} busy`} />
        <p class="dim">of {least}{u.whole(t.threads)} threads, load {least}{u.number(t.load)}</p>
        <Spark at={(i) => cpu[i] ?? null} />
      </div>
      <div class="card">
        <h2>Memory</h2>
        <p class="big">{used === null ? u.DASH : u.percent(used)}</p>
        <Bar level={used} label={`Memory ${used === null ? "not known" : u.percent(used)} in use`} />
        <p class="dim">
          {least}
          {u.bytes(t.memUsed)} of {least}
          {u.bytes(t.memTotal)}
        </p>
        <Spark at={(i) => mem[i] ?? null} />
      </div>
      <div class="card">
        <h2>Network</h2>
        <p class="big">{least}{u.rate(t.rx + t.tx)}</p>
        <p class="dim">
          ↓ {u.rate(t.rx)} ↑ {u.rate(t.tx)}
        </p>
        <Spark at={(i) => net[i] ?? null} />
      </div>
      <div class="card">
        <h2>Pressure</h2>
        <p class="big">{lastPressure === null ? u.DASH : u.percent(lastPressure)}</p>
        <p class="dim">some task waited, mean of all nodes</p>
        <Spark at={(i) => press[i] ?? null} />
      </div>
    </div>
  );
}

function UseNow() {
  return (
    <section class="panel" aria-label="Use now">
      <div class="panel-head">
        <h2>
          <span class="star" aria-hidden="true">
            ★
          </span>{" "}
          Use now
        </h2>
        <a href="#/which">with requirements …</a>
      </div>
      {best.value.length === 0 ? (
        <p class="dim">No node is usable now.</p>
      ) : (
        <ol class="use-now">
          {best.value.map((b) => (
            <li key={b.id}>
              <a href={nodeAddress(b.id)}>{b.name}</a>
              <p class="dim">{b.reasons[0]}</p>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Nodes one panel names; the table has all of them. */
const NAMED = 6;

/** Why somebody should look at a node, in words; the gravest reason only. */
export function trouble(n: Node): { words: string; grave: boolean } | null {
  const state = n.view.state;
  const since = u.seconds(n.since());
  if (state === "down") return { words: `down for ${since}`, grave: true };
  if (state === "suspect") return { words: "silent in its last period; its neighbours ask it", grave: false };
  if (state === "stale") return { words: `its zone is cut off for ${since}`, grave: false };
  if (state === "left") return null;
  const notice = n.view.notices.find((x) => x.topic.startsWith("health"));
  const health = n.vital("health");
  if (notice && health !== null && health < 1) return { words: notice.text, grave: health < 0.5 };
  if (health !== null && health < 1) return { words: `it trusts itself only ${u.percent(health)}`, grave: health < 0.5 };
  if (n.view.avoided) return { words: `this daemon avoids it: ${n.view.avoided}`, grave: false };
  if (n.lateness() === 2) return { words: "its values are old", grave: false };
  const memory = n.vital("pressure.memory");
  if (memory !== null && memory > 0.2) return { words: `tasks waited for memory ${u.percent(memory)} of the time`, grave: memory > 0.5 };
  const system = n.vital("cpu.system.max3m");
  if (system !== null && system > 0.95) return { words: "its kernel used all processors within the last 3 minutes", grave: false };
  return null;
}

function LookAt({ nodes }: { nodes: Node[] }) {
  const all = nodes.flatMap((n) => {
    const t = trouble(n);
    return t ? [{ n, ...t }] : [];
  });
  all.sort((a, b) => Number(b.grave) - Number(a.grave));
  return (
    <section class="panel" aria-label="To look at">
      <div class="panel-head">
        <h2>To look at</h2>
        {all.length > NAMED && <span class="dim">{all.length} nodes</span>}
      </div>
      {all.length === 0 ? (
        <p class="calm">✓ All nodes are up and trust themselves.</p>
      ) : (
        <ul class="look-at">
          {all.slice(0, NAMED).map(({ n, words, grave }) => (
            <li key={n.view.id} class={grave ? "grave" : ""}>
              <a href={nodeAddress(n.view.id)}>{n.view.name}</a> <span class="dim">{words}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
