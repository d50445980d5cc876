// The screenshot of `peermon top`: node e2e/top.mjs PEERMON FILE LARGE, where LARGE is the socket of a large table (peermon-bench table).
// It runs in tmux, whose screen Chromium draws.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "./browser.mjs";

const [peermon, file, large] = process.argv.slice(2);
if (!peermon || !file || !large) {
  console.error("usage: node e2e/top.mjs PEERMON FILE LARGE, the socket of a large table");
  process.exit(2);
}
/** It fills its sparklines by itself; this is so that their newest cells move. */
const WATCH_MS = 12_000;
const [COLUMNS, ROWS] = [104, 24];
/** A cell is so wide and so high, in pixels. */
const [WIDE, HIGH] = [8, 16];

const place = mkdtempSync(join(tmpdir(), "peermon-top-"));
const tmux = (...words) => execFileSync("tmux", ["-S", join(place, "tmux"), "-f", "/dev/null", ...words], { encoding: "utf8" });
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const browser = await launch();
try {
  const size = ["-x", String(COLUMNS), "-y", String(ROWS)];
  tmux("new-session", "-d", ...size, "env", "COLORTERM=truecolor", "TERM=tmux-256color", peermon, "--api", large, "top");
  tmux("set-option", "-g", "status", "off");
  tmux("resize-window", ...size);
  await wait(WATCH_MS);
  const screen = tmux("capture-pane", "-e", "-p");
  tmux("send-keys", "q");
  const page = await browser.newPage({ viewport: { width: COLUMNS * WIDE + 16, height: ROWS * HIGH + 16 } });
  await page.setContent(html(screen.replace(/\n$/, "").split("\n")));
  await page.screenshot({ path: file });
} finally {
  await browser.close();
  rmSync(place, { recursive: true, force: true });
}

function html(lines) {
  const style = { fg: null, bg: null, bold: false, dim: false, reverse: false };
  const rows = lines.map((line) => `<div>${cells(line, style)}</div>`).join("");
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 8px; background: #12151c; color: #d8dee4; font: 13.75px/${HIGH}px "DejaVu Sans Mono", monospace; }
    div { height: ${HIGH}px; white-space: nowrap; }
    i { display: inline-block; width: ${WIDE}px; height: ${HIGH}px; font-style: normal; overflow: hidden; vertical-align: top; text-align: center; white-space: pre; }
  </style>${rows}`;
}

/** A line of the screen, each character in a box of its own, as terminals do. */
function cells(line, style) {
  let out = "";
  for (const [, codes, character] of line.matchAll(/\u001b\[([\d;:]*)m|([^\u001b])/gu)) {
    if (character === undefined) {
      change(style, codes.split(/[;:]/).map(Number));
      continue;
    }
    let [fg, bg] = [style.fg ?? "#d8dee4", style.bg];
    if (style.reverse) [fg, bg] = [bg ?? "#12151c", fg];
    const css = `color:${fg}${bg ? `;background:${bg}` : ""}${style.bold ? ";font-weight:bold" : ""}${style.dim ? ";opacity:.6" : ""}`;
    out += `<i style="${css}">${character.replace("&", "&amp;").replace("<", "&lt;")}</i>`;
  }
  return out;
}

const SIXTEEN = ["#1c2026", "#d2605a", "#7fb069", "#d0b45c", "#5c9fd6", "#b084cc", "#5fb3b3", "#d8dee4", "#5c6370", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#ffffff"];

/** Colours and the like that an escape sequence asks for. */
function change(style, codes) {
  for (let i = 0; i < codes.length; i++) {
    const c = codes[i];
    if (c === 0) Object.assign(style, { fg: null, bg: null, bold: false, dim: false, reverse: false });
    else if (c === 1) style.bold = true;
    else if (c === 2) style.dim = true;
    else if (c === 22) style.bold = style.dim = false;
    else if (c === 7) style.reverse = true;
    else if (c === 27) style.reverse = false;
    else if (c === 39) style.fg = null;
    else if (c === 49) style.bg = null;
    else if ((c === 38 || c === 48) && codes[i + 1] === 2) {
      style[c === 38 ? "fg" : "bg"] = `rgb(${codes.slice(i + 2, i + 5).join(" ")})`;
      i += 4;
    } else if ((c >= 30 && c < 38) || (c >= 90 && c < 98)) style.fg = SIXTEEN[c < 90 ? c - 30 : c - 82];
    else if ((c >= 40 && c < 48) || (c >= 100 && c < 108)) style.bg = SIXTEEN[c < 100 ? c - 40 : c - 92];
  }
}
