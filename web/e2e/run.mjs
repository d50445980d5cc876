// The page in a real browser, before a real cluster of five: node e2e/run.mjs PEERMON

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch, open } from "./browser.mjs";
import { startDemo } from "./demo.mjs";

const [peermon] = process.argv.slice(2);
if (!peermon) {
  console.error("usage: node e2e/run.mjs PEERMON, a peermon with the page built in");
  process.exit(2);
}
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const started = Date.now();

const demo = await startDemo(peermon);
const here = demo.nodes.get("here-1");
const browser = await launch();
const { page, noted } = await open(browser, here.http);
let failed = null;

async function step(name, work) {
  if (failed) return;
  const from = Date.now();
  try {
    await work();
    console.log(`ok ${name} (${((Date.now() - from) / 1000).toFixed(1)} s)`);
  } catch (e) {
    failed = e;
    console.log(`FAILED ${name}\n${e.stack}`);
    console.log(`the page at ${page.url()} says:\n${(await page.innerText("body").catch(() => "nothing")).slice(0, 3000)}`);
  }
}

const go = (hash) => page.goto(`${here.http}/${hash}`);
const main = page.locator("main");
const row = (name) => page.locator(".rows tbody tr", { hasText: name });
const rows = (n) => page.waitForFunction((n) => document.querySelectorAll(".rows tbody tr:not(.space)").length === n, n);
/** Waits until it is so, and says what was if it never is. */
async function until(what, look) {
  let last;
  for (let i = 0; i < 200; i++) {
    last = await look();
    if (last === true) return;
    await page.waitForTimeout(100);
  }
  assert.fail(`${what}; it was ${JSON.stringify(last)}`);
}

await step("the page comes from the daemon, with a policy that allows nothing else", async () => {
  const answer = await go("");
  assert.equal(answer.status(), 200);
  const policy = answer.headers()["content-security-policy"] ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  await page.locator(".card .big", { hasText: "5 of 5" }).waitFor();
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  console.log(`   first contentful paint after ${Math.round(paint)} ms`);
});

await step("overview: all nodes on the map, the best marked, hover tells, keys and clicks open", async () => {
  const pressure = page.locator(".card", { hasText: "Pressure" }).locator(".big");
  const first = await pressure.innerText();
  await until("totals go on", async () => (await pressure.innerText()) !== first || first);
  const map = page.getByRole("application", { name: /Map of 5 nodes, coloured by CPU/ });
  await map.waitFor();
  await page.locator(".use-now li").nth(2).waitFor();
  assert.match(await page.locator(".use-now li").first().innerText(), /available/);
  const box = await map.boundingBox();
  await page.mouse.move(box.x + 40, box.y + 40);
  await page.locator(".tip", { hasText: "here-1" }).waitFor();
  await page.getByRole("combobox", { name: "grouped by" }).selectOption("label.values");
  await page.getByRole("combobox", { name: "coloured by" }).selectOption("mem");
  await page.getByRole("application", { name: /coloured by Memory/ }).focus();
  await page.keyboard.press("End");
  await page.locator(".map [aria-live]", { hasText: /^replay-idle-desktop, alive, Memory/ }).waitFor({ state: "attached" });
  // By the label that tells them apart the replayed ones stand below the real ones: an arrow leads from one group to the other.
  await page.keyboard.press("Home");
  await page.locator(".map [aria-live]", { hasText: /^here-1/ }).waitFor({ state: "attached" });
  await page.keyboard.press("ArrowDown");
  await page.locator(".map [aria-live]", { hasText: /^replay-/ }).waitFor({ state: "attached" });
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /replay-idle-desktop/ }).waitFor();
});

await step("node: charts filled at open, hover and zoom shared, facts, health in words", async () => {
  const series = page.waitForResponse((r) => r.url().includes("/series?node=") && r.ok());
  await go("#/nodes");
  await row("replay-file-server").getByRole("link").click();
  const known = (await (await series).json()).series.find((s) => s.attribute === "cpu.busy").values.filter((v) => v !== null);
  assert.ok(known.length > 2, `the past is known: ${known}`);
  await page.locator(".chart .uplot canvas").nth(5).waitFor();
  await until("a chart shows what is now", async () => /Processors: busy \d+ %/.test(await page.locator(".chart-box").first().getAttribute("aria-label")) || "none");
  const over = page.locator(".u-over").first();
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width - 30, box.y + 50);
  await until("all charts tell of the same moment", async () => {
    const told = await page.locator(".chart-tip:visible").allInnerTexts();
    return (told.length >= 6 && new Set(told.map((t) => t.slice(0, 8))).size === 1) || told;
  });
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 120, box.y + 50, { steps: 4 });
  await page.mouse.up();
  await page.getByRole("button", { name: "show all of it" }).click();
  await page.getByRole("button", { name: "10 min" }).click();
  await page.getByText("Xeon").waitFor();
  await page.getByText("It is up and trusts itself fully").waitFor();
  await page.getByText("Nobody has claimed anything of it").waitFor();
  await page.getByRole("img", { name: /^\d+ of \d+ good/ }).first().waitFor();
  await go("#/node/here-1");
  await page.locator(".probes summary", { hasText: /self-probes.*4 of 4 peers are viable/ }).waitFor();
  await page.locator(".usage tbody tr").first().waitFor();
  await page.getByRole("img", { name: /^\d+ cores?, the busiest is \d+ with/ }).waitFor();
  await page.locator(".machine tbody tr", { hasText: /^lo / }).waitFor();
  await go("#/node/nobody");
  await page.getByText("There is no such node").waitFor();
});

await step("table: filter by name and by expression, mistakes shown at their column, sort, columns, keys", async () => {
  await go("#/nodes");
  await rows(5);
  await page.locator("main").click({ position: { x: 2, y: 2 } });
  await page.keyboard.press("/");
  await page.keyboard.type("idle");
  await rows(1);
  await page.locator("#filter").fill('name ~ "replay-*"');
  await rows(3);
  await page.locator("#filter").fill("cpu.busy < 80");
  const alert = page.locator("#filter-error");
  await alert.getByText("column 12: cpu.busy is a share from 0 to 1, and never 80: write 80%").waitFor();
  assert.equal(await alert.locator("pre").innerText(), "           ^^");
  assert.equal(await page.locator("#filter").getAttribute("aria-invalid"), "true");
  await page.locator("#filter").fill("mem.total > 1PiB");
  await page.getByText("No node is as the filter wants").waitFor();
  await page.getByRole("button", { name: "show all 5" }).click();
  await rows(5);
  await page.getByRole("button", { name: "Memory" }).click();
  const sorted = await page.locator("th[aria-sort]").innerText();
  assert.match(sorted, /Memory/);
  await page.locator("summary", { hasText: "Columns" }).click();
  await page.getByLabel("Zone", { exact: true }).check();
  await page.getByRole("columnheader", { name: "Zone" }).waitFor();
  await page.getByRole("button", { name: "the usual ones that fit" }).click();
  await page.locator("summary", { hasText: "Columns" }).click();
  await page.getByRole("button", { name: "Name" }).click();
  await page.getByRole("group", { name: /^Nodes/ }).focus();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "here-2" }).waitFor();
});

await step("search: finds a node from everywhere", async () => {
  await page.keyboard.press("/");
  await page.keyboard.type("busy");
  await page.getByRole("option", { name: /replay-busy-compute/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /replay-busy-compute/ }).waitFor();
});

await step("which machine: requirements in, ranking with reasons and commands out", async () => {
  await page.keyboard.press("w");
  await page.getByLabel("How many machines").fill("2");
  await page.getByLabel("Available memory").fill("2G");
  await page.locator(".ranking > li").nth(1).waitFor();
  assert.match(await page.locator(".ranking .reasons").first().innerText(), /available/);
  await page.getByText("peermon best -n 2 --mem 2G --explain").waitFor();
  await page.getByRole("button", { name: "Copy the command that asks this" }).click();
  await page.getByRole("status").filter({ hasText: /copied/ }).waitFor({ state: "attached" });
  // The command is one: a shell runs it, quotes and all.
  await page.getByLabel("Condition").fill('name ~ "replay-*"');
  const command = page.locator(".command code", { hasText: "--where" }).first();
  const said = execFileSync("sh", ["-c", (await command.innerText()).replace("peermon", peermon)], { encoding: "utf8", env: { ...process.env, PEERMON_API: here.http } });
  assert.match(said, /1\. replay-/);
  await page.getByLabel("Condition").fill("");
  await page.getByLabel("Available memory").fill("lots");
  await page.getByText("It must be an amount such as 16G or 500MB.").waitFor();
  await page.getByLabel("Available memory").fill("");
  await page.getByLabel("Condition").fill("cpu.bsy < 50%");
  await page.locator("#which-where-error", { hasText: "column 1: no attribute is named cpu.bsy" }).waitFor();
  await page.getByLabel("Condition").fill("");
  await page.getByLabel("Idle processors").fill("4096");
  await page.getByText("No machine is as you want").waitFor();
  await page.locator(".left-out dt").first().waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.locator(".ranking > li").first().waitFor();
});

await step("zones and daemon: the one there is, and what it costs", async () => {
  await go("#/zones");
  await page.getByRole("img", { name: /1 zone\. default: 5 up, relays/ }).waitFor();
  await go("#/daemon");
  await page.getByRole("heading", { name: /peermon \d.* on here-1/ }).waitFor();
  await page.getByText("gossip.rx.datagrams").waitFor();
});

await step("dark: as the system says, and by the switch, which lasts", async () => {
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), "light");
  await page.emulateMedia({ colorScheme: "dark" });
  await until("it follows the system", async () => (await theme()) === "dark" || theme());
  await page.keyboard.press("t");
  assert.equal(await theme(), "light");
  await page.reload();
  assert.equal(await theme(), "light");
  await page.locator("[data-theme-switch]").click();
  assert.equal(await theme(), "dark");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "What you see" }).waitFor();
  await page.keyboard.press("Escape");
});

const VIEWS = ["#/", "#/nodes", "#/node/replay-file-server", "#/node/here-1", "#/which", "#/zones", "#/daemon"];

/** Waits until the view shows something, and opens what is folded. */
async function shown() {
  await page.locator("main .panel, main .rows").first().waitFor();
  if (page.url().includes("#/node/here-1")) await page.locator(".probes").waitFor();
  await page.evaluate(() => document.querySelectorAll("main details").forEach((d) => (d.open = true)));
}

await step("axe finds nothing serious in any view, light and dark", async () => {
  for (const dark of [true, false]) {
    if (!dark) {
      await page.keyboard.press("t");
      await page.keyboard.press("t");
    }
    for (const hash of VIEWS) {
      await go(hash);
      await shown();
      await page.evaluate(axe);
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      const grave = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
      const told = grave.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join("; ")}`);
      assert.deepEqual(told, [], `${hash} ${dark ? "dark" : "light"}`);
    }
  }
});

await step("phone: nothing is wider than the screen", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const hash of VIEWS) {
    await go(hash);
    await shown();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${hash} is ${wide} pixels wider than the screen`);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
});

await step("a node that is killed is down, in words and in the table", async () => {
  await go("#/");
  demo.nodes.get("replay-idle-desktop").signal("SIGKILL");
  await page.locator(".look-at li", { hasText: "replay-idle-desktop down for" }).waitFor();
  await go("#/nodes");
  await until("its row says so", async () => (await row("replay-idle-desktop").innerText()).includes("down") || (await row("replay-idle-desktop").innerText()));
});

await step("a daemon that hangs is silent, and lives again", async () => {
  here.signal("SIGSTOP");
  await page.getByRole("alert").filter({ hasText: "The daemon is silent for" }).waitFor();
  here.signal("SIGCONT");
  await page.locator(".pill-live").waitFor();
});

await step("a daemon that is killed does not answer, its values grow old, and it comes back", async () => {
  await go("#/node/replay-file-server");
  await page.locator(".pill-live").waitFor();
  here.signal("SIGKILL");
  await page.getByRole("alert").filter({ hasText: "The daemon does not answer for" }).waitFor();
  await page.locator(".pill-lost").waitFor();
  await until("ages go on", async () => {
    const text = await page.locator(".node-head .age").innerText();
    return Number.parseFloat(text) >= 3 || text;
  });
  await main.locator("h1", { hasText: "replay-file-server" }).waitFor();
  here.start();
  await page.locator(".pill-live").waitFor();
  await until("the warning goes", async () => (await page.getByRole("alert").innerText()) === "");
  await until("values are fresh", async () => {
    const text = await page.locator(".node-head .age").innerText();
    return Number.parseFloat(text) < 3 || text;
  });
});

await step("nothing was asked elsewhere, nothing complained", async () => {
  assert.deepEqual(noted, { elsewhere: [], errors: [] });
});

await browser.close();
await demo.stop();
console.log(`${failed ? "failed" : "passed"} after ${((Date.now() - started) / 1000).toFixed(0)} s`);
process.exit(failed ? 1 : 0);
