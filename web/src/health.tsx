// How a node is, in words: what its self-probes found and told everybody, what the node that answers thinks of it, and, of the node
// that answers itself, every probe.

import type { HealthAnswer } from "./api";
import { nodeAddress } from "./dom";
import { trouble } from "./overview";
import { type Node, tick } from "./store";
import * as u from "./units";
import { useAnswer } from "./zones";

const EVERY_MS = 2_000;
/** What begins so is what a self-probe found. */
const FOUND = /^health(\.|$)/;

export function Health({ node }: { node: Node }) {
  void tick.value;
  const { answer } = useAnswer<HealthAnswer>("health", EVERY_MS);
  const found = node.view.notices.filter((n) => FOUND.test(n.topic));
  const others = node.view.notices.filter((n) => !found.includes(n));
  const health = node.vital("health");
  const wrong = trouble(node);
  const told = wrong !== null && found.some((n) => n.text === wrong.words);
  const peer = answer?.peers.find((p) => p.id === node.view.id);
  return (
    <section class="panel health" aria-label="Health">
      <h2>Health</h2>
      {wrong && !told && <p class={wrong.grave ? "grave" : "warn"}>{capital(wrong.words)}.</p>}
      {found.map((n) => (
        <p key={`${n.topic} ${n.text}`} class={health !== null && health < 0.5 ? "grave" : "warn"}>
          <b>{n.topic.replace(FOUND, "")}</b> {n.text}
          {typeof n.seconds === "number" && <span class="dim"> for {u.seconds(n.seconds)}</span>}
        </p>
      ))}
      {!wrong && found.length === 0 && <p class="calm">✓ It is up{health === null ? "" : health >= 1 ? " and trusts itself fully" : ` and trusts itself ${u.percent(health)}`}.</p>}
      {peer && (
        <p class="dim">
          How it answers the probes of this daemon: <History text={peer.history} />
          {peer.rtt_seconds !== null && ` in ${u.seconds(peer.rtt_seconds)}`}
          {peer.viable === false && `, avoided for ${u.seconds(peer.seconds)}`}
          {peer.sees_me === false && ", and it avoids this node"}
        </p>
      )}
      {others.length > 0 && (
        <dl class="notices">
          {others.map((n) => (
            <div key={n.topic}>
              <dt>{n.topic}</dt>
              <dd>{n.text}</dd>
            </div>
          ))}
        </dl>
      )}
      {node.view.this && answer && <Probes answer={answer} />}
    </section>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

const MARKS: Record<string, string> = { ".": "good", l: "late", x: "bad" };

/** The last tries, oldest first, as marks. */
function History({ text }: { text: string }) {
  const count = (mark: string) => text.split(mark).length - 1;
  const words = [`${count(".")} of ${text.length} good`, count("l") && `${count("l")} late`, count("x") && `${count("x")} failed`].filter(Boolean).join(", ");
  return (
    <span class="history" role="img" aria-label={words} title={words}>
      {[...text].map((mark, i) => (
        <i key={i} class={MARKS[mark] ?? ""} />
      ))}
    </span>
  );
}

function Probes({ answer }: { answer: HealthAnswer }) {
  const failing = answer.probes.filter((p) => p.reason).length;
  return (
    <details class="probes" open={failing > 0}>
      <summary>
        {answer.probes.length} self-probes{failing > 0 && `, ${failing} failing`}; {answer.sees.viable} of {answer.sees.of} peers are viable, {answer.seen_by.viable} of {answer.seen_by.of} see this node so
      </summary>
      <div class="columns-2">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">probe</th>
              <th scope="col">last 32</th>
              <th scope="col" class="number">
                mean
              </th>
              <th scope="col">finding</th>
            </tr>
          </thead>
          <tbody>
            {answer.probes.map((p) => (
              <tr key={`${p.probe} ${p.instance}`}>
                <th scope="row">
                  {p.probe} <span class="dim">{p.instance}</span>
                </th>
                <td>
                  <History text={p.history} />
                </td>
                <td class="number">{p.mean_seconds === null ? u.DASH : u.seconds(p.mean_seconds)}</td>
                <td class="warn">{p.reason?.text ?? ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {answer.peers.length > 0 && (
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">peer</th>
                <th scope="col">last 32</th>
                <th scope="col" class="number">
                  round trip
                </th>
                <th scope="col">finding</th>
              </tr>
            </thead>
            <tbody>
              {answer.peers.map((p) => (
                <tr key={p.id}>
                  <th scope="row">
                    <a href={nodeAddress(p.id)}>{p.name}</a>
                  </th>
                  <td>
                    <History text={p.history} />
                  </td>
                  <td class="number">{p.rtt_seconds === null ? u.DASH : u.seconds(p.rtt_seconds)}</td>
                  <td class="warn">{[p.why && `avoided for ${u.seconds(p.seconds)}: ${p.why}`, p.sees_me === false && "it avoids this node"].filter(Boolean).join("; ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </details>
  );
}
