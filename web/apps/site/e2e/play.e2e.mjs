// Plays a film from a running network in a real browser and mines with it.
//
// Needs BASE_URL (a gateway with at least one film of two cells), or DEMO_JSON (the file that `chainflix demo` writes,
// whose `web` names the gateway). SCREENSHOTS names a folder for pictures. Takes some three cells of time.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { checkAccess, launch, newPage, picture } from "./browser.mjs";
import { balanceWei, jumpsTo, mines, openFirstFilm, pausesAndResumes, playsPast, position, pressPlay, walletAddress } from "./watching.mjs";

const baseUrl = (process.env.BASE_URL ?? JSON.parse(readFileSync(process.env.DEMO_JSON ?? "demo.json", "utf8")).web).replace(/\/$/, "");
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("a film is played across a cell border, proved, and mined", async () => {
  const { page, errors, close } = await newPage(browser);
  const cells = await openFirstFilm(page, baseUrl);
  const cellMs = cells[0].durationMs;
  const patienceMs = 30_000 + 3 * cellMs;
  assert.ok(cells.length >= 2, "the first film has a single cell");

  const clickedAt = Date.now();
  await pressPlay(page);
  await playsPast(page, 0.05, 30_000);
  console.log(`first frame ${Date.now() - clickedAt} ms after the click`);
  await playsPast(page, cellMs / 1_000 + 0.5, patienceMs);
  await picture(page, "film");
  await mines(page, patienceMs);
  await picture(page, "mined");
  assert.ok((await balanceWei(page)) > 0n);

  await jumpsTo(page, cells.at(-1), cells.length - 1, 30_000);
  await jumpsTo(page, cells[0], 0, 30_000);
  await pausesAndResumes(page);

  await page.reload();
  await pressPlay(page);
  await playsPast(page, 1, 30_000);
  assert.ok((await balanceWei(page)) > 0n, "the balance is gone after a reload");
  assert.ok((await position(page)) > 0);
  assert.deepEqual(errors, []);
  await close();
});

test("every page is free of barriers, in both languages", async () => {
  for (const locale of ["en", "ko"]) {
    const { page, errors, close } = await newPage(browser, { locale, axe: true });
    await openFirstFilm(page, baseUrl);
    await checkAccess(page, `film (${locale})`);
    const address = await walletAddress(page, baseUrl);
    assert.match(address, /^0x[0-9a-f]{40}$/);
    for (const path of ["/", "/wallet", "/network"]) {
      await page.goto(baseUrl + path);
      await page.waitForLoadState("load");
      await page.waitForTimeout(500);
      await checkAccess(page, `${path} (${locale})`);
      await picture(page, `${path.slice(1) || "films"}-${locale}`);
    }
    assert.deepEqual(errors, []);
    await close();
  }
});
