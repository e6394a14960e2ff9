// Times the calls into the Rust core inside the page's worker, by what they are for.

/** Put before the worker's own script. */
const CLOCK = `
globalThis.coreMs = {};
{
  const timed = (call) => (operation, ...rest) => {
    const began = performance.now();
    const answer = call(operation, ...rest);
    coreMs[operation] = (coreMs[operation] ?? 0) + performance.now() - began;
    return answer;
  };
  const plain = WebAssembly.instantiateStreaming;
  WebAssembly.instantiateStreaming = async (...given) => {
    const { module, instance } = await plain.apply(WebAssembly, given);
    return { module, instance: { exports: { ...instance.exports, call: timed(instance.exports.call) } } };
  };
}
`;

/** Numbers of `crates/browser/src/operation.rs`. */
const PURPOSES = {
  delivery: [0x0305, 0x0306, 0x0307, 0x0310, 0x0311],
  reading: [0x030a, 0x0312, 0x0313],
  proof: [0x0308, 0x0309, 0x030b, 0x030c, 0x030d, 0x030e],
};

/** To be called before the page is opened. */
export async function clockCore(page) {
  await page.route("**/assets/worker-*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: CLOCK + (await response.text()) });
  });
}

/** Milliseconds so far: `{ delivery, reading, proof }`. */
export async function coreMs(page) {
  const byOperation = await page.workers()[0].evaluate(() => globalThis.coreMs);
  const sum = (numbers) => numbers.reduce((total, number) => total + (byOperation[number] ?? 0), 0);
  return Object.fromEntries(Object.entries(PURPOSES).map(([purpose, numbers]) => [purpose, sum(numbers)]));
}
