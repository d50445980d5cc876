// A headless Chromium, and a watch on what pages do in it.

import { existsSync, readFileSync } from "node:fs";
import { chromium } from "playwright-core";

/** Debian's names and others'. */
const NAMES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function launch() {
  const executablePath = NAMES.find((n) => n && existsSync(n));
  if (!executablePath) throw new Error("there is no Chromium; install the package chromium, or name one in CHROMIUM");
  // Tests run as root in containers too, where the sandbox cannot; only our own page is opened.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"] });
}

/**
 * With PEERMON_DIST=web/dist the page is taken from there instead of from the daemon, with the daemon's headers: for work on the page
 * without building the daemon anew.
 */
async function fromDist(context, base, dist) {
  await context.route(`${base}/`, async (route) => {
    const response = await route.fetch();
    const headers = { ...response.headers() };
    delete headers["content-encoding"];
    await route.fulfill({ status: response.status(), headers, body: readFileSync(`${dist}/index.html`) });
  });
  await context.route(`${base}/assets/*`, (route) => route.fulfill({ path: `${dist}${new URL(route.request().url()).pathname}` }));
}

/** A page that notes what it should not do: ask elsewhere, and complain. */
export async function open(browser, base, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light", ...options });
  if (process.env.PEERMON_DIST) await fromDist(context, base, process.env.PEERMON_DIST);
  const page = await context.newPage();
  const noted = { elsewhere: [], errors: [] };
  page.on("request", (r) => {
    if (!r.url().startsWith(base) && !r.url().startsWith("data:")) noted.elsewhere.push(r.url());
  });
  page.on("pageerror", (e) => noted.errors.push(e.stack ?? String(e)));
  page.on("console", (m) => {
    // What the network does is a part of some tests.
    if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) noted.errors.push(m.text());
  });
  page.setDefaultTimeout(20_000);
  return { page, context, noted };
}
