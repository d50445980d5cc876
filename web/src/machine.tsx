// The parts of the machine of the node that answers: cores, memory, disks, file systems and network interfaces. Other nodes tell nobody.

import type { PartsAnswer } from "./api";
import { colour } from "./colour";
import { dark } from "./dom";
import * as u from "./units";
import { useAnswer } from "./zones";

const EVERY_MS = 1_000;
/** More cores than this stand side by side without their numbers. */
const NUMBERED = 32;
/** Rows of a table; below it stands how many more there are. */
const ROWS = 12;

const known = (v: number | null, write: (v: number) => string) => (v === null ? u.DASH : write(v));

export function Machine() {
  const { answer } = useAnswer<PartsAnswer>("parts", EVERY_MS);
  // An older daemon, or one that plays a recorded machine.
  if (!answer || (answer.cores.length === 0 && answer.disks.length === 0 && answer.interfaces.length === 0)) return null;
  return (
    <section class="panel machine" aria-label="Cores, disks and interfaces">
      <div class="panel-head">
        <h2>Cores, disks and interfaces</h2>
        <span class="dim">each of them, over the last second</span>
      </div>
      <Cores answer={answer} />
      <Memory answer={answer} />
      <div class="columns-2">
        <Disks answer={answer} />
        <Interfaces answer={answer} />
        <FileSystems answer={answer} />
      </div>
    </section>
  );
}

function Cores({ answer: { cores } }: { answer: PartsAnswer }) {
  const busiest = cores.reduce((a, b) => ((b.busy ?? -1) > (a?.busy ?? -1) ? b : a), cores[0]);
  if (!busiest || busiest.busy === null) return null;
  const kernel = busiest.system === null ? "" : `, ${u.percent(busiest.system)} in the kernel`;
  const clocks = cores.map((c) => c.frequency).filter((f) => f !== null);
  const ghz = (f: number) => (f / 1e9).toFixed(1);
  const [low, high] = [ghz(Math.min(...clocks)), ghz(Math.max(...clocks))];
  const words = `${cores.length} core${cores.length === 1 ? "" : "s"}, the busiest is ${busiest.name} with ${u.percent(busiest.busy)}${kernel}`;
  return (
    <div class="cores">
      <div class={cores.length > NUMBERED ? "strip" : "bars"} role="img" aria-label={words}>
        {cores.map((c) => (
          <span key={c.name} title={`core ${c.name}: ${known(c.busy, u.percent)} busy, ${known(c.system, u.percent)} in the kernel, ${known(c.iowait, u.percent)} waiting for disks`}>
            {cores.length <= NUMBERED && <small>{c.name}</small>}
            <i>{c.busy !== null && <b style={{ height: `${Math.max(2, c.busy * 100)}%`, background: colour(c.busy, dark.value).fill }} />}</i>
          </span>
        ))}
      </div>
      <p class="dim">
        {words}
        {clocks.length > 0 && `, ${low === high ? high : `${low} to ${high}`} GHz`}
      </p>
    </div>
  );
}

function Memory({ answer: { memory: m } }: { answer: PartsAnswer }) {
  const cached = m.cached === null ? null : m.cached + (m.buffers ?? 0);
  const swapping = (m.swap_in ?? 0) + (m.swap_out ?? 0) >= 1;
  const kinds: [string, number | null][] = [
    ["available", m.available],
    ["cache", cached],
    ["free", m.free],
    ["the kernel's", m.kernel],
    ["shared", m.shared],
    ["to be written", m.dirty],
    ["swap used", m.swap_total ? m.swap_used : null],
  ];
  const told = kinds.filter(([, v]) => v !== null).map(([name, v]) => `${name} ${u.bytes(v!)}`);
  if (m.total === null || told.length === 0) return null;
  return (
    <p>
      Memory <b>{u.bytes(m.total)}</b>: {told.join(", ")}
      {swapping && <span class="warn">; swaps {u.rate(m.swap_in ?? 0)} in and {u.rate(m.swap_out ?? 0)} out</span>}
    </p>
  );
}

/** What stands only where there is room for it. */
const SPARE = new Set(["operations/s", "speed", "errors/s", "kind"]);

/** A table of the first rows, and how many more there are. */
function Table<T>({ title, columns, all, row }: { title: string; columns: string[]; all: T[]; row: (t: T) => preact.JSX.Element }) {
  if (all.length === 0) return null;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={title}>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">{title}</th>
            {columns.map((c) => (
              <th key={c} scope="col" class={SPARE.has(c) ? "number wide-only" : "number"}>
                {c}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{all.slice(0, ROWS).map(row)}</tbody>
      </table>
      {all.length > ROWS && <p class="dim">and {u.whole(all.length - ROWS)} more</p>}
    </div>
  );
}

function Disks({ answer: { disks } }: { answer: PartsAnswer }) {
  return (
    <Table
      title="disk"
      columns={["busy", "reads", "writes", "operations/s", "each takes"]}
      all={disks}
      row={(d) => (
        <tr key={d.name}>
          <th scope="row">{d.name}</th>
          <td class="number">{known(d.busy, u.percent)}</td>
          <td class="number">{known(d.read, u.rate)}</td>
          <td class="number">{known(d.written, u.rate)}</td>
          <td class="number wide-only">{known(d.reads === null || d.writes === null ? null : d.reads + d.writes, u.whole)}</td>
          <td class="number">{known(d.latency_seconds, u.seconds)}</td>
        </tr>
      )}
    />
  );
}

function FileSystems({ answer: { file_systems } }: { answer: PartsAnswer }) {
  // Those that do not answer first, then the fullest.
  const urgency = (f: PartsAnswer["file_systems"][number]) => (f.answers ? (f.used ?? -1) : 2);
  return (
    <Table
      title="file system"
      columns={["used", "free", "size", "kind"]}
      all={[...file_systems].sort((a, b) => urgency(b) - urgency(a))}
      row={(f) => (
        <tr key={f.point} title={f.device}>
          <th scope="row">{f.point}</th>
          <td class={f.answers ? "number" : "number grave"}>{f.answers ? known(f.used, u.percent) : "no answer"}</td>
          <td class="number">{known(f.available, u.bytes)}</td>
          <td class="number">{known(f.size, u.bytes)}</td>
          <td class="number wide-only">
            {f.kind}
            {f.read_only && ", read-only"}
          </td>
        </tr>
      )}
    />
  );
}

function Interfaces({ answer: { interfaces } }: { answer: PartsAnswer }) {
  // Those that carried most first, those without a link last.
  const carried = (i: PartsAnswer["interfaces"][number]) => (i.link === false ? -1 : (i.received_bytes ?? 0) + (i.sent_bytes ?? 0));
  return (
    <Table
      title="interface"
      columns={["receives", "sends", "speed", "drops/s", "errors/s"]}
      all={[...interfaces].sort((a, b) => carried(b) - carried(a))}
      row={(i) => (
        <tr key={i.name}>
          <th scope="row">
            {i.name} {i.link === false && <span class="dim">no link</span>}
          </th>
          <td class="number">{known(i.received, u.rate)}</td>
          <td class="number">{known(i.sent, u.rate)}</td>
          <td class="number wide-only">{known(i.speed, u.bits)}</td>
          <td class={i.drops ? "number warn" : "number"}>{known(i.drops, u.number)}</td>
          <td class={i.errors ? "number wide-only warn" : "number wide-only"}>{known(i.errors, u.number)}</td>
        </tr>
      )}
    />
  );
}
