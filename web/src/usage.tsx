// Who uses the machine of the node that answers: processes, users, and what they hold of GPUs. Other nodes tell nobody.

import type { UsageAnswer } from "./api";
import * as u from "./units";
import { useAnswer } from "./zones";

const EVERY_MS = 1_000;

const known = (v: number | null, write: (v: number) => string) => (v === null ? u.DASH : write(v));
/** Processors used: of one, in percent, as people know it from top. */
const processors = (v: number) => `${(v * 100).toFixed(v < 0.1 ? 1 : 0)} %`;

/** What else is known of a process. */
function more(p: UsageAnswer["processes"][number]): string {
  const threads = p.threads ? `${p.threads} thread${p.threads === 1 ? "" : "s"}` : "";
  const since = typeof p.running_seconds === "number" ? `there for ${u.seconds(p.running_seconds)}` : "";
  return [p.state, threads, since, p.parent && `started by ${p.parent}`].filter(Boolean).join(", ");
}

export function Usage() {
  const { answer } = useAnswer<UsageAnswer>("usage", EVERY_MS);
  // An older daemon, or one that looks at no processes.
  if (!answer || (answer.processes.length === 0 && answer.users.length === 0)) return null;
  return (
    <section class="panel usage" aria-label="Processes and users">
      <div class="panel-head">
        <h2>Processes and users</h2>
        <span class="dim">
          those that use most, of {u.whole(answer.watched)}; 100 % is one processor
        </span>
      </div>
      <div class="columns-2">
        <div class="scroll" tabIndex={0} role="group" aria-label="Processes">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">process</th>
                <th scope="col">user</th>
                <th scope="col" class="number">
                  CPU
                </th>
                <th scope="col" class="number">
                  memory
                </th>
                <th scope="col" class="number wide-only">
                  reads
                </th>
                <th scope="col" class="number wide-only">
                  writes
                </th>
              </tr>
            </thead>
            <tbody>
              {answer.processes.map((p) => (
                <tr key={p.pid} title={more(p)}>
                  <th scope="row">
                    {p.command ?? "hidden"} <span class="dim">{p.pid}</span>
                  </th>
                  <td>{p.user ?? "hidden"}</td>
                  <td class="number">{known(p.cpus, processors)}</td>
                  <td class="number">{u.bytes(p.mem)}</td>
                  <td class="number wide-only">{known(p.read, u.rate)}</td>
                  <td class="number wide-only">{known(p.written, u.rate)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <div>
          {answer.users.length > 0 && (
            <table class="plain">
              <thead>
                <tr>
                  <th scope="col">user</th>
                  <th scope="col" class="number">
                    processes
                  </th>
                  <th scope="col" class="number">
                    CPU
                  </th>
                  <th scope="col" class="number">
                    memory
                  </th>
                </tr>
              </thead>
              <tbody>
                {answer.users.map((w) => (
                  <tr key={w.user}>
                    <th scope="row">{w.user}</th>
                    <td class="number">{u.whole(w.processes)}</td>
                    <td class="number">{processors(w.cpus)}</td>
                    <td class="number">{u.bytes(w.mem)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
          {answer.gpus.length > 0 && (
            <table class="plain">
              <thead>
                <tr>
                  <th scope="col">GPU</th>
                  <th scope="col">process</th>
                  <th scope="col">user</th>
                  <th scope="col" class="number">
                    memory
                  </th>
                </tr>
              </thead>
              <tbody>
                {answer.gpus.map((g) => (
                  <tr key={`${g.gpu} ${g.pid}`}>
                    <th scope="row">{g.gpu}</th>
                    <td>
                      {g.command ?? "hidden"} <span class="dim">{g.pid}</span>
                    </td>
                    <td>{g.user ?? "hidden"}</td>
                    <td class="number">{known(g.mem, u.bytes)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
      </div>
    </section>
  );
}
