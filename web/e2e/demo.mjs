// A real cluster: `peermon demo`, whose daemons can be killed and started again.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const PATIENCE_MS = 30_000;

/** Starts a demo and gives its nodes, by name, once each of them sees all. */
export async function startDemo(peermon) {
  const demo = spawn(peermon, ["demo"], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  const ready = new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`the demo did not start:\n${said}`)), PATIENCE_MS);
    demo.stdout.on("data", (text) => {
      said += text;
      if (said.includes("Ctrl-C ends all of it")) {
        clearTimeout(late);
        done();
      }
    });
    demo.on("exit", () => fail(new Error(`the demo ended:\n${said}`)));
  });
  await ready;
  const nodes = new Map();
  for (const [, name, http, pid] of said.matchAll(/^\s+(\S+)\s+(http:\/\/\S+)\s+\S+\s+(\d+)$/gm)) nodes.set(name, new Daemon(name, http, Number(pid)));
  return {
    nodes,
    stop: async () => {
      for (const n of nodes.values()) n.end();
      const ended = new Promise((done) => demo.on("exit", done));
      demo.kill("SIGINT");
      await ended;
    },
  };
}

class Daemon {
  constructor(name, http, pid) {
    this.name = name;
    this.http = http;
    this.pid = pid;
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    // Started again it is nobody's child of the demo.
    const parent = words.indexOf("--with-parent");
    if (parent >= 0) words.splice(parent, 2);
    this.words = words;
    this.again = null;
  }

  signal(name) {
    process.kill(this.again?.pid ?? this.pid, name);
  }

  start() {
    const [program, ...args] = this.words;
    this.again = spawn(program, args, { stdio: "ignore", env: { ...process.env, PEERMON_DISCOVERY_ENABLED: "false" } });
  }

  end() {
    this.again?.kill("SIGKILL");
  }
}
