// Fails when what a visitor downloads outgrows its budget (gzip bytes). Raise a number only in the change that needs it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const assets = fileURLToPath(new URL("../dist/assets", import.meta.url));

/** Kind of file, how it is recognised, most bytes of all such files together. */
const BUDGETS = [
  ["first page", /^index-.*\.js$/, 45_000],
  ["worker", /^worker-.*\.js$/, 16_000],
  ["all scripts", /\.js$/, 230_000],
  ["styles", /\.css$/, 12_000],
  ["core", /\.wasm$/, 260_000],
];

const sizes = readdirSync(assets).map((name) => ({ name, bytes: gzipSync(readFileSync(join(assets, name))).length }));
let failed = false;
for (const [kind, pattern, most] of BUDGETS) {
  const bytes = sizes.filter(({ name }) => pattern.test(name)).reduce((sum, file) => sum + file.bytes, 0);
  const over = bytes > most;
  failed ||= over;
  console.log(`${over ? "OVER  " : "within"} ${kind.padEnd(12)} ${String(bytes).padStart(7)} of ${most} bytes`);
}
if (failed) process.exit(1);
