// What a viewer does, step by step, and what must then be seen. The same for the real network and for page tests.

import assert from "node:assert/strict";

const byId = (page, id) => page.getByTestId(id);
export const position = (page) => byId(page, "video").evaluate((video) => video.currentTime);
export const balanceWei = async (page) => BigInt((await byId(page, "balance").getAttribute("data-wei")) ?? "0");

/** From the list to the first film that may be watched; answers its cells `{ startMs, durationMs }`. */
export async function openFirstFilm(page, baseUrl) {
  await page.goto(baseUrl);
  await byId(page, "film-card").first().click();
  const cells = byId(page, "cell");
  await cells.first().waitFor();
  return cells.evaluateAll((list) => list.map(({ dataset }) => ({ startMs: Number(dataset.startMs), durationMs: Number(dataset.durationMs) })));
}

export async function pressPlay(page) {
  await byId(page, "play-button").click();
}

/** Waits until the picture has passed `seconds`; the message says where it stood instead. */
export async function playsPast(page, seconds, timeoutMs) {
  const passed = page.waitForFunction((at) => document.querySelector("video").currentTime > at, seconds, { timeout: timeoutMs, polling: 100 });
  await passed.catch(async (error) => {
    const proof = await byId(page, "proof-state").evaluate(({ dataset, textContent }) => JSON.stringify({ ...dataset, textContent }));
    assert.fail(`the film stands at ${await position(page)} s and should be past ${seconds} s; ${proof}; ${error.message.split("\n")[0]}`);
  });
}

/** A view block with this viewer's play: the message is shown and the balance rises. */
export async function mines(page, timeoutMs) {
  const before = await balanceWei(page);
  await byId(page, "view-block-toast").first().waitFor({ timeout: timeoutMs });
  await page.waitForFunction((wei) => BigInt(document.querySelector("[data-testid=balance]").dataset.wei) > BigInt(wei), String(before), { timeout: timeoutMs });
}

export async function pausesAndResumes(page) {
  await pressPlay(page);
  const paused = await position(page);
  await page.waitForTimeout(1_000);
  const still = await position(page);
  assert.ok(still - paused < 0.3, `a paused film ran from ${paused} s to ${still} s`);
  await pressPlay(page);
  await playsPast(page, still + 0.5, 20_000);
}

/** Jumps to a cell by the strip and plays on there. */
export async function jumpsTo(page, cell, index, timeoutMs) {
  await byId(page, "cell").nth(index).click();
  await playsPast(page, cell.startMs / 1_000 + 0.5, timeoutMs);
  const at = await position(page);
  assert.ok(at < (cell.startMs + cell.durationMs) / 1_000 + 3, `jumped to cell ${index} but stands at ${at} s`);
}

export async function walletAddress(page, baseUrl) {
  await page.goto(`${baseUrl}/wallet`);
  return page.locator("section .copy .mono").first().innerText();
}
