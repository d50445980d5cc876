// What the daemon that answers costs and counts, and what this page costs.

import { useEffect, useState } from "preact/hooks";
import type { Status } from "./api";
import { cost } from "./live";
import { Bar, Empty } from "./parts";
import * as u from "./units";
import { useAnswer } from "./zones";

const EVERY_MS = 1_000;
/** Where no token is asked for, usually. */
const LOOPBACK = /^(localhost|127\..*|\[::1\])$/;
/** What the daemon promises to stay within. */
const CPU_PROMISED = 0.005;

export function Daemon() {
  const { answer: s, error } = useAnswer<Status>("status", EVERY_MS);
  const [text, setText] = useState("");
  const [all, setAll] = useState(false);
  if (!s) return error ? <Empty title="The daemon's state is not known">{error}</Empty> : <p class="dim">Asking the daemon …</p>;
  const counters = Object.entries(s.counters).filter(([name, n]) => (all || n > 0) && name.includes(text.trim()));
  const failing = s.collectors.filter((c) => c.failure);
  const total = s.collectors.reduce((sum, c) => sum + c.seconds, 0);
  return (
    <>
      <h1>
        peermon {s.version} {s.name && `on ${s.name}`}
      </h1>
      <div class="cards" role="group" aria-label="Cost">
        <div class="card">
          <h2>Processor</h2>
          <p class="big">{s.cpu_share === null ? u.DASH : `${(s.cpu_share * 100).toFixed(2)} %`}</p>
          <Bar level={s.cpu_share === null ? null : Math.min(1, s.cpu_share / CPU_PROMISED / 2)} label="Share of one core, in the last round" />
          <p class="dim">of one core, in the last round</p>
        </div>
        <div class="card">
          <h2>Memory</h2>
          <p class="big">{s.resident_bytes === null ? u.DASH : u.bytes(s.resident_bytes)}</p>
          <p class="dim">resident{s.counters["memory.bytes"] ? `, of it ${u.bytes(s.counters["memory.bytes"])} for the past` : ""}</p>
        </div>
        <div class="card">
          <h2>Gossip</h2>
          <p class="big">{u.rate(s.pace.cost_bytes)}</p>
          <p class="dim">expected to send{s.pace.budget_bytes === null ? ", without a limit" : `, of ${u.rate(s.pace.budget_bytes)} allowed`}</p>
        </div>
        <div class="card">
          <h2>Freshness</h2>
          <p class="big">{s.age_mean_seconds === null ? u.DASH : u.age(s.age_mean_seconds)}</p>
          <p class="dim">
            mean age, the oldest {s.age_max_seconds === null ? u.DASH : u.age(s.age_max_seconds)}; promised {u.seconds(s.pace.age_mean_seconds)} and {u.seconds(s.pace.age_most_seconds)}
          </p>
        </div>
        <PageCost />
      </div>
      <div class="flow">
        <section class="panel" aria-label="State">
          <h2>State</h2>
          <dl class="pairs">
            <dt>up for</dt>
            <dd>{u.seconds(s.uptime_seconds)}</dd>
            <dt>publishes every</dt>
            <dd>{u.seconds(s.period_seconds)}</dd>
            <dt>cluster clock</dt>
            <dd>
              {s.clock_locked ? "in step" : "not in step yet"}, {u.seconds(Math.abs(s.clock_error_seconds))} from its peers
            </dd>
            <dt>gossip at</dt>
            <dd>{s.listen.join(", ")}</dd>
            <dt>answers at</dt>
            <dd>{s.api.join(", ")}</dd>
            {s.seeds_waiting.length > 0 && (
              <>
                <dt>not reached yet</dt>
                <dd class="warn">{s.seeds_waiting.join(", ")}</dd>
              </>
            )}
          </dl>
          {!LOOPBACK.test(location.hostname) && (
            <form method="post" action="/logout">
              <button type="submit">Log out of this page</button>
            </form>
          )}
        </section>
        <section class="panel" aria-label="Peers">
          <h2>Peers</h2>
          {s.links.length === 0 ? (
            <p class="dim">It exchanges packets with nobody.</p>
          ) : (
            <table class="plain">
              <thead>
                <tr>
                  <th scope="col">name</th>
                  <th scope="col">address</th>
                  <th scope="col" class="number">
                    round trip
                  </th>
                  <th scope="col">why</th>
                </tr>
              </thead>
              <tbody>
                {s.links.map((l) => (
                  <tr key={`${l.name} ${l.address}`}>
                    <th scope="row">{l.name}</th>
                    <td>{l.address}</td>
                    <td class="number">{l.rtt_seconds === null ? u.DASH : u.seconds(l.rtt_seconds)}</td>
                    <td>{l.role}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </section>
        <section class="panel" aria-label="Collectors">
          <div class="panel-head">
            <h2>Collectors</h2>
            <span class="dim">
              {u.seconds(total)} a round{failing.length ? `, ${failing.length} failing` : ""}
            </span>
          </div>
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">name</th>
                <th scope="col" class="number">
                  took
                </th>
                <th scope="col">failure</th>
              </tr>
            </thead>
            <tbody>
              {s.collectors.map((c) => (
                <tr key={c.name}>
                  <th scope="row">{c.name}</th>
                  <td class="number">{u.seconds(c.seconds)}</td>
                  <td class={c.failure ? "warn" : "dim"}>{c.failure ?? ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <section class="panel" aria-label="Counters">
          <div class="panel-head">
            <h2>Counters</h2>
            <input type="search" placeholder="find" aria-label="Find a counter" value={text} onInput={(e) => setText(e.currentTarget.value)} />
            <label>
              <input type="checkbox" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} /> zeros too
            </label>
          </div>
          <div class="scroll" tabIndex={0} role="group" aria-label="Counters">
            <table class="plain">
              <tbody>
                {counters.map(([name, n]) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td class="number">{u.whole(n)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      </div>
    </>
  );
}

/** Chromium tells what the page's objects take. */
function heap(): number | null {
  const memory = (performance as { memory?: { usedJSHeapSize: number } }).memory;
  return memory?.usedJSHeapSize ?? null;
}

function PageCost() {
  const [now, setNow] = useState(heap());
  useEffect(() => {
    const timer = setInterval(() => setNow(heap()), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div class="card">
      <h2>This page</h2>
      <p class="big">{u.rate(cost.value.bytes)}</p>
      <p class="dim">
        streamed, {cost.value.take.toFixed(1)} ms to take a batch{now === null ? "" : `, ${u.bytes(now)} of objects`}
      </p>
    </div>
  );
}
