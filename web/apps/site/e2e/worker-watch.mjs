// Sees what the page's worker does: how often it wakes for a timer, and that a hidden page lets it sleep.

/** Put before the worker's own script: counts the timers that fire. */
const COUNTER = `
globalThis.timersFired = 0;
for (const name of ["setTimeout", "setInterval"]) {
  const plain = globalThis[name];
  globalThis[name] = (action, ...rest) => plain((...given) => { globalThis.timersFired += 1; action(...given); }, ...rest);
}
`;

/** To be called before the page is opened. */
export async function countTimers(page) {
  await page.route("**/assets/worker-*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: COUNTER + (await response.text()) });
  });
}

export function timersFired(page) {
  return page.workers()[0].evaluate(() => globalThis.timersFired);
}

/** What a page is told when another one is brought before it, and when it comes back. Sound goes on, as in a real one. */
export async function setShown(page, shown) {
  await page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  }, shown ? "visible" : "hidden");
}
