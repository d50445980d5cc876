// Makes package-lock.json anew without addresses: `npm run lock`. npm writes where packages ask for donations; a build needs none of it.
// rollup is named with its version in package.json because npm ci refuses a lock file that lacks the builds of one for other platforms, and of
// later ones not all are to be had everywhere.

import { execSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

execSync("npm install --package-lock-only", { stdio: "inherit" });
const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const of of Object.values(lock.packages)) delete of.funding;
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
