// Screenshots for the documentation: node e2e/shots.mjs PEERMON FOLDER [URL of a large table]

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { launch, open } from "./browser.mjs";
import { startDemo } from "./demo.mjs";

const [peermon, folder, large] = process.argv.slice(2);
if (!peermon || !folder) {
  console.error("usage: node e2e/shots.mjs PEERMON FOLDER [URL of a large table]");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

/** What is kept: name, address behind #, width, height, colours, and whether of the large table. */
const SHOTS = [
  ["overview", "#/", 1280, 760, "dark", false],
  ["overview-2200", "#/", 1280, 760, "dark", true],
  ["nodes-2200", "#/nodes", 1280, 560, "light", true],
  ["node", "#/node/replay-file-server", 1280, 940, "dark", false],
  ["failing", "#/node/here-2", 1280, 480, "light", false],
  ["which", "#/which?n=2&cpus=1&mem=8G", 1280, 620, "light", false],
  ["phone", "#/", 390, 844, "dark", false],
];
/** So that sparklines and charts have something to show. */
const WARM_MS = 125_000;
/** So many files may one daemon have open from then on: its probes find that it cannot open any more. */
const FILES = 8;
const FAIL_MS = 30_000;

const demo = await startDemo(peermon);
const browser = await launch();
console.log(`waiting ${WARM_MS / 1000} s for something to show`);
await new Promise((done) => setTimeout(done, WARM_MS - FAIL_MS));
execFileSync("prlimit", ["--pid", String(demo.nodes.get("here-2").pid), `--nofile=${FILES}:${FILES}`]);
await new Promise((done) => setTimeout(done, FAIL_MS));
try {
  for (const shot of SHOTS) await take(...shot);
} finally {
  await browser.close();
  await demo.stop();
}

async function take(name, hash, width, height, colorScheme, isLarge) {
  const base = isLarge ? large : demo.nodes.get("here-1").http;
  if (!base) return;
  const { page, context } = await open(browser, base, { viewport: { width, height }, colorScheme });
  await page.goto(`${base}/${hash}`);
  await page.locator("main .panel, main .rows").first().waitFor();
  await page.waitForTimeout(4000);
  await page.screenshot({ path: `${folder}/${name}.png` });
  await context.close();
}
