// Tests of the pages against the mock gateway, under the real one's security policy: what needs a network that misbehaves
// on command.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkAccess, launch, newPage, picture } from "./browser.mjs";
import { makeFilm } from "./mock/film.mjs";
import { startMockGateway } from "./mock/gateway.mjs";
import { balanceWei, jumpsTo, mines, openFirstFilm, pausesAndResumes, playsPast, pressPlay, walletAddress } from "./watching.mjs";
import { countTimers, setShown, timersFired } from "./worker-watch.mjs";

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

/** Waits for what the mock network sees. */
async function until(what, holds, timeoutMs = 15_000) {
  for (const began = Date.now(); !holds(); await new Promise((resolve) => setTimeout(resolve, 50))) {
    assert.ok(Date.now() - began < timeoutMs, `waited in vain for ${what}`);
  }
}


const reaches = (page, index, state) => page.waitForFunction(([at, wanted]) => document.querySelectorAll("[data-testid=cell]")[at].dataset.play === wanted, [index, state], { timeout: 20_000, polling: 50 });

test("a page that was never played asks for nothing", async () => {
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await page.waitForTimeout(500);
  const before = gateway.network.requests.length;
  await page.waitForTimeout(2_500);
  assert.deepEqual(gateway.network.requests.slice(before), []);
  await close();
});

test("a hidden page sleeps when nothing plays, goes on while a film plays, and wakes up with news", async () => {
  const { page, errors, close } = await newPage(browser);
  await countTimers(page);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await playsPast(page, 0.5, 20_000);

  await setShown(page, false);
  await reaches(page, 0, "mined");
  await playsPast(page, 4, 20_000);
  assert.equal(gateway.network.listeners.size, 1, "a film that plays needs the blocks");

  await page.getByTestId("video").evaluate((video) => video.pause());
  await until("the event stream to be closed", () => gateway.network.listeners.size === 0);
  const [asked, fired] = [gateway.network.requests.length, await timersFired(page)];
  await page.waitForTimeout(5_000);
  assert.deepEqual(gateway.network.requests.slice(asked), []);
  assert.equal((await timersFired(page)) - fired, 0, "a sleeping worker has no timer");

  await setShown(page, true);
  await until("the event stream to be open", () => gateway.network.listeners.size === 1);
  await page.getByTestId("video").evaluate((video) => video.play());
  await reaches(page, 2, "mined");
  assert.deepEqual(errors, []);
  await close();
});

test("an audited play is opened while the film runs on, and paid", async () => {
  gateway.network.audits = true;
  const { page, errors, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await reaches(page, 0, "audited");
  await picture(page, "film-audited");
  await mines(page, 20_000);
  await reaches(page, 0, "mined");
  assert.equal(new Set(gateway.network.openings).size, gateway.network.openings.length, "each was opened once");
  assert.deepEqual(errors, []);
  await close();
});

test("a viewer who left the film, and reloaded the page, still answers", async () => {
  gateway.network.audits = true;
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await reaches(page, 0, "proved");
  await page.goto(`${gateway.url}/wallet`);
  await until("the opening", () => gateway.network.openings.length > 0);
  await page.locator('[data-testid=play][data-status="accepted"]').first().waitFor({ timeout: 15_000 });
  await close();
});

test("silence at an audit makes the play void, and the reason is told", async () => {
  Object.assign(gateway.network, { audits: true, deaf: true });
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, gateway.url);
  await pressPlay(page);
  await reaches(page, 0, "audited");
  await reaches(page, 0, "unpaid");
  assert.equal(await balanceWei(page), 0n);
  await page.goto(`${gateway.url}/wallet`);
  const row = page.locator('[data-testid=play][data-code="voided"]').first();
  await row.waitFor();
  assert.match(await row.innerText(), /checked at random, and nothing that proves it was shown in time/);
  await close();
});

test("the wallet tells what is pending, vesting and to spend, and why each play earned what it did", async () => {
  const now = Date.now();
  const past = (index, play) => ({ play: `0x${String(index).padStart(32, "0")}`, magnet: films[index % 3].magnet, cellIndex: index % 3, timeMs: now - index * 3_600_000, ...play });
  const paid = [["viewer", 27], ["creator", 39.6], ["storage", 13.5], ["validators", 7.2], ["supervisor", 2.7]].map(([role, cfx]) => ({ role, gwei: cfx * 1e9 }));
  gateway.network.past = [
    past(1, { status: "accepted", viewBlock: 41, paid }),
    past(2, { status: "refused", code: "overlapping" }),
    past(3, { status: "pending", viewBlock: 40 }),
    past(4, { status: "auditing", viewBlock: 39, untilMs: now }),
    past(5, { status: "proved" }),
    past(6, { status: "running" }),
    ...["too-late", "receipts-differ", "outvoted", "struck-out", "a-code-of-tomorrow", "already-mined"].map((code, at) => past(7 + at, { status: "refused", code, message: "words of a newer validator" })),
  ];
  gateway.network.vestingViewBlocks = 3;
  for (const [locale, viewport, words] of [["en", undefined, /one at a time is paid/], ["ko", { width: 390, height: 844 }, /한 번에 하나만 보상됩니다/]]) {
    const { page, errors, close } = await newPage(browser, { locale, axe: true, ...(viewport && { viewport }) });
    if (locale === "en") {
      await openFirstFilm(page, gateway.url);
      await pressPlay(page);
      await reaches(page, 0, "mined");
    }
    await page.goto(`${gateway.url}/wallet`);
    await page.locator('[data-code="overlapping"]').waitFor();
    assert.match(await page.locator('[data-code="overlapping"]').innerText(), words);
    if (locale === "en") assert.equal(await page.getByTestId("vesting").innerText(), "27 CFX");
    await page.locator("[data-status=accepted] summary").last().click();
    await page.getByRole("button", { name: locale === "en" ? "Older plays" : "이전 기록" }).click();
    await page.locator('[data-code="a-code-of-tomorrow"]').waitFor();
    assert.match(await page.locator('[data-code="a-code-of-tomorrow"]').innerText(), /words of a newer validator/);
    const codes = await page.locator("[data-code]").evaluateAll((rows) => rows.map(({ dataset }) => dataset.code));
    assert.equal(new Set(codes).size, 7, "every page of the history is shown once");
    await checkAccess(page, `wallet with plays (${locale})`);
    await picture(page, `wallet-plays-${locale}`);
    assert.deepEqual(errors, []);
    await close();
  }
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
