// Starts Debian's Chromium, watches a page for errors, checks it with axe, takes pictures of it.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PICTURES = process.env.SCREENSHOTS;

export async function launch() {
  const args = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
  ];
  // Chromium refuses to sandbox what root starts.
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args });
}

/** A page with a wallet of its own. `errors` collects what it complains of. */
export async function newPage(browser, { locale = "en", viewport = { width: 1280, height: 860 }, axe = false } = {}) {
  // The page's policy forbids axe, which is injected: only then it is not in force.
  const context = await browser.newContext({ locale, viewport, bypassCSP: axe });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(`exception: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && errors.push(`console: ${message.text()} (${message.location().url})`));
  return { page, errors, close: () => context.close() };
}

/** Fails with the page's violations of WCAG and of good practice. */
export async function checkAccess(page, name) {
  await page.addScriptTag({ path: AXE });
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n    ${nodes.map(({ html }) => html.slice(0, 160)).join("\n    ")}`);
  assert.deepEqual(found, [], `${name} has barriers:\n${found.join("\n")}`);
}

/** Only when the environment names a folder for them. */
export async function picture(page, name) {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}
