// A plugin for Vite: writes the licences of the packages that the page holds to a file beside it.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const NAMES = /^(licen[cs]e|copying)(\.(md|txt))?$/i;

/** The folder of the package that a module is of, or null if it is one of ours. */
function folder(id) {
  const path = id.replace(/^\0/, "").replace(/\?.*$/, "");
  if (!path.includes("/node_modules/")) return null;
  // Folders within a package may have a package.json of their own, without a version.
  for (let at = dirname(path); !at.endsWith("/node_modules"); at = dirname(at)) {
    const file = join(at, "package.json");
    if (existsSync(file) && JSON.parse(readFileSync(file, "utf8")).version) return at;
  }
  return null;
}

/** What a package is and under which terms; an error if it says none. */
function terms(at) {
  const { name, version, license } = JSON.parse(readFileSync(join(at, "package.json"), "utf8"));
  const file = readdirSync(at).find((f) => NAMES.test(f));
  if (!license || !file) throw new Error(`${name} ${version} has no licence in ${at}; do not ship it`);
  return `## ${name} - ${version} (${license})\n\n${readFileSync(join(at, file), "utf8").trim()}\n`;
}

export function licences(fileName) {
  const folders = new Set();
  return {
    name: "licences",
    apply: "build",
    // What styles take from packages is in no bundle by name, so each module that is read counts.
    moduleParsed({ id }) {
      const at = folder(id);
      if (at) folders.add(resolve(at));
    },
    generateBundle() {
      const source = `# Licences\n\nThe page holds these packages:\n\n${[...folders].sort().map(terms).join("\n")}`;
      this.emitFile({ type: "asset", fileName, source });
    },
  };
}
