// What the page costs with a large table: node e2e/measure.mjs URL, of a daemon or of
// `peermon-bench table --nodes 2200 --http 127.0.0.1:19899` that has the page built in.

import { launch, open } from "./browser.mjs";

const SECONDS = 20;
const [base] = process.argv.slice(2);
if (!base) {
  console.error("usage: node e2e/measure.mjs URL");
  process.exit(2);
}

const browser = await launch();
const { page, context, noted } = await open(browser, base);
const cdp = await context.newCDPSession(page);
await cdp.send("Performance.enable");
let received = 0;
cdp.on("Network.dataReceived", (e) => {
  received += e.dataLength;
});
await cdp.send("Network.enable");

/** Seconds that the main thread worked, and bytes of objects after a collection. */
async function counters() {
  const { metrics } = await cdp.send("Performance.getMetrics");
  const of = (name) => metrics.find((m) => m.name === name)?.value ?? 0;
  return { busy: of("TaskDuration"), script: of("ScriptDuration"), layout: of("LayoutDuration") + of("RecalcStyleDuration") };
}

async function heap() {
  await cdp.send("HeapProfiler.collectGarbage");
  return cdp.send("Runtime.getHeapUsage").then((h) => h.usedSize);
}

/** Frames while something goes on: how far apart they were. */
async function frames(work) {
  await page.evaluate(() => {
    window.frameTimes = [];
    const next = (t) => {
      window.frameTimes.push(t);
      window.frameRequest = requestAnimationFrame(next);
    };
    window.frameRequest = requestAnimationFrame(next);
  });
  const [before, bytes] = [await counters(), received];
  const from = Date.now();
  await work();
  const took = (Date.now() - from) / 1000;
  const after = await counters();
  const times = await page.evaluate(() => {
    cancelAnimationFrame(window.frameRequest);
    return window.frameTimes;
  });
  const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
  const at = (share) => gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))] ?? 0;
  return {
    median: at(0.5),
    p99: at(0.99),
    most: at(1),
    busy: (after.busy - before.busy) / took,
    script: (after.script - before.script) / took,
    layout: (after.layout - before.layout) / took,
    bytes: (received - bytes) / took,
  };
}

const ms = (v) => `${v.toFixed(1)} ms`;
const share = (v) => `${(v * 100).toFixed(1)} %`;
async function line(name, f) {
  console.log(`| ${name} | ${ms(f.median)}, ${ms(f.p99)}, ${ms(f.most)} | ${share(f.busy)} | ${share(f.script)} | ${share(f.layout)} | ${(f.bytes / 1000).toFixed(0)} kB/s | ${((await heap()) / 1e6).toFixed(1)} MB |`);
}

const opened = Date.now();
await page.goto(base);
await page.locator(".card .big").first().waitFor();
const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
console.log(`first contentful paint ${Math.round(paint)} ms, table shown ${Date.now() - opened} ms after asking, ${(received / 1e6).toFixed(2)} MB until then`);
await page.waitForTimeout(8000);
console.log("\n| doing | between frames: median, p99, most | main thread busy | of it script | layout and style | received | objects |\n| --- | --- | --- | --- | --- | --- | --- |");
await line("overview", await frames(() => page.waitForTimeout(SECONDS * 1000)));
const draws = await page.evaluate(() => {
  const all = performance.getEntriesByName("map.draw").map((e) => e.duration).sort((a, b) => a - b);
  return { median: all[all.length >> 1], most: all[all.length - 1] };
});
await page.goto(`${base}/#/nodes`);
await page.locator(".rows tbody tr").nth(5).waitFor();
await page.waitForTimeout(2000);
await line("table", await frames(() => page.waitForTimeout(SECONDS * 1000)));
const box = await page.locator(".rows").boundingBox();
await page.mouse.move(box.x + 200, box.y + 200);
await line(
  "table, scrolling through it",
  await frames(async () => {
    for (let i = 0; i < SECONDS * 10; i++) {
      await page.mouse.wheel(0, 400);
      await page.waitForTimeout(100);
    }
  }),
);
await page.locator(".rows tbody tr a").first().click();
await page.locator(".chart .uplot").first().waitFor();
await page.waitForTimeout(2000);
await line("node", await frames(() => page.waitForTimeout(SECONDS * 1000)));
console.log(`\ndrawing the map: median ${ms(draws.median)}, most ${ms(draws.most)}`);
if (noted.errors.length) console.log(noted.errors);
await browser.close();
