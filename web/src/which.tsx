// "Which machine should I use?": requirements in, the ranked answer with its reasons, and the commands to copy out.

import { useEffect, useState } from "preact/hooks";
import { type BestAnswer, get, Refused, words } from "./api";
import { nodeAddress, place, setQuery } from "./dom";
import { connection } from "./live";
import { quoted } from "./node";
import { Command, Empty } from "./parts";
import { table, tick } from "./store";
import { ExpressionError } from "./table";
import * as u from "./units";

const PAUSE_MS = 300;
/** Nodes left out that are named for each reason. */
const NAMED = 12;

interface Field {
  name: string;
  label: string;
  hint: string;
  kind: "count" | "memory" | "text" | "expression";
  flag: string;
}

const FIELDS: Field[] = [
  { name: "n", label: "How many machines", hint: "1", kind: "count", flag: "-n" },
  { name: "cpus", label: "Idle processors", hint: "e.g. 8", kind: "count", flag: "--cpus" },
  { name: "mem", label: "Available memory", hint: "e.g. 16G", kind: "memory", flag: "--mem" },
  { name: "gpus", label: "GPUs", hint: "e.g. 1", kind: "count", flag: "--gpus" },
  { name: "gpu_mem", label: "Free GPU memory", hint: "e.g. 24G", kind: "memory", flag: "--gpu-mem" },
  { name: "label", label: "Label", hint: "KEY or KEY=VALUE", kind: "text", flag: "--label" },
  { name: "where", label: "Condition", hint: "e.g. nic.eth0.speed >= 10Gbit/s", kind: "expression", flag: "--where" },
  { name: "order", label: "Order by", hint: "e.g. mem.available / cpu.threads, the highest first", kind: "expression", flag: "--order" },
];
const BY: [string, string][] = [
  ["both", "memory and load"],
  ["cpu", "load per core"],
  ["mem", "available memory"],
];

interface Asked {
  query: [string, string][];
  flags: string[];
  wrong: Record<string, string>;
}

/** What the form asks for: of the API, and as flags. */
function asked(form: URLSearchParams): Asked {
  const query: [string, string][] = [["explain", "true"]];
  const flags: string[] = [];
  const wrong: Record<string, string> = {};
  for (const f of FIELDS) {
    const text = form.get(f.name)?.trim() ?? "";
    if (!text) continue;
    if (f.kind === "count" && !/^\d{1,6}$/.test(text)) {
      wrong[f.name] = "a whole number";
      continue;
    }
    if (f.kind === "memory") {
      const amount = u.readBytes(text);
      if (amount === null) {
        wrong[f.name] = "an amount such as 16G or 500MB";
        continue;
      }
      query.push([f.name, String(amount)]);
    } else {
      query.push([f.name, text]);
    }
    flags.push(f.flag, quoted(text.replaceAll(/^(\d+(?:\.\d+)?)\s+(\w+)$/g, f.kind === "memory" ? "$1$2" : "$&")));
  }
  const by = form.get("by");
  if (by && by !== "both" && !form.get("order")) {
    query.push(["by", by]);
    flags.push("--by", by);
  }
  const zone = form.get("zone");
  if (zone) {
    query.push(["zone", zone]);
    flags.push("--zone", quoted(zone));
  }
  return { query, flags, wrong };
}

export function Which() {
  const form = place.value.query;
  const text = form.toString();
  void tick.value;
  const [answer, setAnswer] = useState<(BestAnswer & { at: number }) | null>(null);
  const [error, setError] = useState("");
  const [round, setRound] = useState(0);
  const { query, flags, wrong } = asked(form);
  const wrongs = Object.keys(wrong).length;
  const live = connection.value.state === "live";

  useEffect(() => {
    if (wrongs > 0 || !live) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      get<BestAnswer>("best", query, stop.signal).then(
        (a) => {
          setAnswer({ ...a, at: performance.now() });
          setError("");
        },
        (e: unknown) => {
          if (!stop.signal.aborted) setError(e instanceof Refused ? e.message : words(e));
        },
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text, round, live]);

  const set = (name: string, value: string) => {
    const next = new URLSearchParams(form);
    if (value) next.set(name, value);
    else next.delete(name);
    setQuery(next);
  };
  const of = ["where", "order", "label"].find((p) => error.startsWith(`${p}:`)) ?? "";
  const zones = [...new Set(table.list().map((n) => n.view.zone))].sort();
  const line = flags.filter((_, i) => !(flags[i] === "-n" || flags[i - 1] === "-n")).join(" ");
  const count = form.get("n") && !wrong.n ? ` -n ${form.get("n")!.trim()}` : "";
  return (
    <div class="which">
      <form class="panel" aria-label="What the machines must have" onSubmit={(e) => e.preventDefault()}>
        <h1>Which machine should I use?</h1>
        <div class="fields">
          {FIELDS.map((f) => {
            const bad = wrong[f.name];
            const refused = of === f.name;
            return (
              <div key={f.name} class={f.kind === "expression" ? "field wide" : "field"}>
                <label for={`which-${f.name}`}>{f.label}</label>
                <input
                  id={`which-${f.name}`}
                  value={form.get(f.name) ?? ""}
                  placeholder={f.hint}
                  inputMode={f.kind === "count" ? "numeric" : "text"}
                  autocomplete="off"
                  autocapitalize="off"
                  spellcheck={false}
                  class={f.kind === "expression" ? "code" : ""}
                  aria-invalid={bad !== undefined || refused}
                  aria-describedby={bad || refused ? `which-${f.name}-error` : undefined}
                  onInput={(e) => set(f.name, e.currentTarget.value)}
                />
                {bad && (
                  <p class="field-error" id={`which-${f.name}-error`}>
                    It must be {bad}.
                  </p>
                )}
                {refused && <ExpressionError error={error} text={form.get(f.name) ?? ""} of={`which-${f.name}`} />}
              </div>
            );
          })}
          <div class="field">
            <label for="which-by">What counts</label>
            <select id="which-by" value={form.get("by") ?? "both"} disabled={Boolean(form.get("order"))} onChange={(e) => set("by", e.currentTarget.value === "both" ? "" : e.currentTarget.value)}>
              {BY.map(([value, title]) => (
                <option key={value} value={value}>
                  {title}
                </option>
              ))}
            </select>
          </div>
          <div class="field">
            <label for="which-zone">Zone</label>
            <select id="which-zone" value={form.get("zone") ?? ""} onChange={(e) => set("zone", e.currentTarget.value)}>
              <option value="">any</option>
              {zones.map((z) => (
                <option key={z} value={z}>
                  {z}
                </option>
              ))}
            </select>
          </div>
        </div>
        <div class="form-foot">
          <button type="button" onClick={() => setRound(round + 1)}>
            Ask again
          </button>
          <button type="button" class="quiet" onClick={() => setQuery(new URLSearchParams())}>
            Clear
          </button>
        </div>
      </form>
      <section class="panel answer" aria-label="The answer" aria-live="polite">
        <h2>Use</h2>
        {error && !of && <p class="warn">{error}</p>}
        {!answer && !error && <p class="dim">Asking …</p>}
        {answer && (
          <>
            {answer.best.length === 0 ? (
              <Empty title="No machine is as you want">Below is why each of them was left out.</Empty>
            ) : (
              <ol class="ranking">
                {answer.best.map((b) => (
                  <li key={b.id}>
                    <div>
                      <a href={nodeAddress(b.id)}>{b.name}</a> <span class="dim">at {b.address}, values {u.age(b.age_seconds + (performance.now() - answer.at) / 1000)} old</span>
                    </div>
                    <ul class="reasons">
                      {b.reasons.map((r) => (
                        <li key={r}>{r}</li>
                      ))}
                    </ul>
                  </li>
                ))}
              </ol>
            )}
            <h3>The same on the command line</h3>
            <Command text={`peermon best${count}${line && ` ${line}`} --explain`} what="that asks this" />
            <Command text={`peermon ssh${line && ` ${line}`}`} what="that logs in to the best one" />
            {count && <Command text={`peermon hostfile${count}${line && ` ${line}`} hosts`} what="that writes them as a host file" />}
            <LeftOut answer={answer} />
          </>
        )}
      </section>
    </div>
  );
}

function LeftOut({ answer }: { answer: BestAnswer }) {
  if (answer.left_out.length === 0) return null;
  const reasons = new Map<string, BestAnswer["left_out"]>();
  for (const l of answer.left_out) {
    // "number 4 of 5" is another reason for each node; together they are one.
    const reason = l.reason.replace(/, but number \d+ of/, ", but not among the first of");
    reasons.set(reason, [...(reasons.get(reason) ?? []), l]);
  }
  return (
    <details class="left-out" open={answer.best.length === 0}>
      <summary>
        Left out: {u.whole(answer.left_out.length)} {answer.left_out.length === 1 ? "node" : "nodes"}, and why
      </summary>
      <dl>
        {[...reasons]
          .sort(([, a], [, b]) => b.length - a.length)
          .slice(0, 100)
          .map(([reason, nodes]) => (
            <div key={reason}>
              <dt>{reason}</dt>
              <dd>
                {nodes.slice(0, NAMED).map((n) => (
                  <a key={n.id} href={nodeAddress(n.id)}>
                    {n.name}
                  </a>
                ))}
                {nodes.length > NAMED && <span class="dim">and {u.whole(nodes.length - NAMED)} more</span>}
              </dd>
            </div>
          ))}
      </dl>
    </details>
  );
}
