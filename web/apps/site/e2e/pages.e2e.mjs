// Tests of the pages against the mock gateway, under the real one's security policy: what needs a network that misbehaves
// on command.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkAccess, launch, newPage, picture } from "./browser.mjs";
import { makeFilm } from "./mock/film.mjs";
import { startMockGateway } from "./mock/gateway.mjs";
import { balanceWei, jumpsTo, mines, openFirstFilm, pausesAndResumes, playsPast, pressPlay, walletAddress } from "./watching.mjs";

const root = fileURLToPath(new URL("../dist-mock", import.meta.url));
const films = [
  makeFilm({ title: "The Long Take", cells: 6, cellMs: 3_000, hue: 0 }),
  makeFilm({ title: "한강의 겨울", cells: 3, cellMs: 3_000, hue: 120 }),
  makeFilm({ title: "Other People's Disks", cells: 4, cellMs: 3_000, hue: 220 }),
];
let browser, gateway;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());
beforeEach(async () => {
  await gateway?.close();
  gateway = await startMockGateway({ root, films });
});
after(() => gateway?.close());

test("a film plays, mines, jumps, pauses and survives a reload", async () => {
  const { page, errors, close } = await newPage(browser);
  await page.goto(gateway.url);
  await page.getByTestId("film-card").first().waitFor();
  await picture(page, "films");
  const cells = await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await playsPast(page, 4.5, 20_000);
  await picture(page, "film-playing");
  await mines(page, 20_000);
  await picture(page, "film-mined");
  await playsPast(page, 9.5, 20_000);
  const earned = await balanceWei(page);
  await jumpsTo(page, cells[5], 5, 10_000);
  await jumpsTo(page, cells[3], 3, 10_000);
  await pausesAndResumes(page);
  await page.reload();
  await pressPlay(page);
  await playsPast(page, 1, 10_000);
  assert.ok((await balanceWei(page)) >= earned);
  assert.deepEqual(errors, []);
  await close();
});

test("consecutive cells are mined without a gap", async () => {
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await page.waitForFunction(() => document.querySelector("video").ended, null, { timeout: 40_000 });
  await page.waitForTimeout(2_500);
  const states = await page.getByTestId("cell").evaluateAll((list) => list.map(({ dataset }) => dataset.play));
  assert.deepEqual(states, Array(6).fill("mined"));
  await close();
});

test("a provider that breaks off is replaced without a word", async () => {
  gateway.network.lost = 0;
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await playsPast(page, 4, 20_000);
  assert.ok(gateway.network.requests.filter((line) => line === "POST /api/grants").length >= 3);
  await mines(page, 20_000);
  await close();
});

test("a takedown stops the film with words", async () => {
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await playsPast(page, 1, 20_000);
  gateway.network.takenDown = true;
  await page.getByTestId("stopped").waitFor({ timeout: 15_000 });
  assert.match(await page.getByTestId("stopped").innerText(), /supervisor stopped/);
  await picture(page, "film-stopped");
  await close();
});

test("a jump into the middle of a cell leaves that cell unpaid and the next one paid", async () => {
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await playsPast(page, 0.5, 20_000);
  await page.getByTestId("video").evaluate((video) => (video.currentTime = 7));
  await playsPast(page, 12.7, 20_000);
  await page.waitForTimeout(1_800);
  const states = await page.getByTestId("cell").evaluateAll((list) => list.map(({ dataset }) => dataset.play));
  assert.equal(states[0], "unpaid");
  assert.equal(states[2], "unpaid");
  assert.equal(states[3], "mined");
  await close();
});

test("a pause past the last moment is said", async () => {
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await playsPast(page, 1, 20_000);
  await pressPlay(page);
  await page.waitForSelector('[data-testid="proof-state"][data-reason="paused"]', { timeout: 10_000 });
  await close();
});

test("a hidden or paused page asks for nothing", async () => {
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await page.waitForTimeout(500);
  const before = gateway.network.requests.length;
  await page.waitForTimeout(2_500);
  assert.deepEqual(gateway.network.requests.slice(before), []);
  await close();
});

test("the wallet is kept, shown for backup, locked by a passphrase, and restored", async () => {
  const { page, errors, close } = await newPage(browser);
  await page.goto(gateway.url);
  await page.getByRole("complementary").getByRole("link").click();
  const first = await page.locator("section .copy .mono").first().innerText();
  await page.getByRole("button", { name: "Show the words" }).click();
  const words = (await page.getByTestId("backup-words").locator("li").allInnerTexts()).map((word) => word.trim());
  assert.equal(words.length, 12);
  await picture(page, "wallet-backup");
  await page.getByRole("button", { name: "I wrote them down" }).click();
  await page.getByLabel("New passphrase").fill("correct horse");
  await page.getByRole("button", { name: "Set a passphrase" }).click();
  await page.getByText("Encrypted with your passphrase").waitFor();
  await page.reload();
  await page.getByLabel("Passphrase", { exact: true }).fill("wrong horse");
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByText("This passphrase is wrong").waitFor();
  await page.getByLabel("Passphrase", { exact: true }).fill("correct horse");
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.locator("section .copy .mono").first().waitFor();
  // The first account of the phrase every wallet's tests use.
  await page.getByLabel("Twelve or twenty-four words").fill("test test test test test test test test test test test junk");
  await page.getByRole("button", { name: "Restore" }).click();
  await page.getByText("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266").waitFor();
  await page.getByLabel("Twelve or twenty-four words").fill(words.join(" "));
  await page.getByRole("button", { name: "Restore" }).click();
  await page.getByText(first).waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("every page is free of barriers, in both languages and on a phone", async () => {
  for (const [locale, viewport] of [["en", undefined], ["ko", { width: 390, height: 844 }]]) {
    const { page, errors, close } = await newPage(browser, { locale, axe: true, ...(viewport && { viewport }) });
    await openFirstFilm(page, gateway.url);
    await checkAccess(page, `film (${locale})`);
    await pressPlay(page);
    await mines(page, 20_000);
    await checkAccess(page, `film mined (${locale})`);
    await picture(page, `film-${locale}`);
    assert.match(await walletAddress(page, gateway.url), /^0x[0-9a-f]{40}$/);
    for (const path of ["/", "/wallet", "/network", "/nowhere"]) {
      await page.goto(gateway.url + path);
      await page.waitForTimeout(600);
      await checkAccess(page, `${path} (${locale})`);
      await picture(page, `${path.slice(1) || "films"}-${locale}`);
    }
    assert.deepEqual(errors, []);
    await close();
  }
});
