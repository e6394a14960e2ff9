import { expect, test, vi } from "vitest";
import { fetchCell, type CellFetch } from "../src/fetch-cell";
import { type Gateway, GatewayError } from "../src/gateway";
import type { Protocol } from "../src/protocol";
import { CoreError } from "../src/wasm";

const GRANT = { body: { id: "0xaa", providerNode: "0x0f" }, signature: "0x" };

/** A delivery of the given pieces into a cell of `size` bytes; a piece may be an error that breaks the stream. */
function delivery(pieces: (Uint8Array | Error)[], { size = 30, lieAt = Infinity } = {}) {
  let verifiedEnd = 0;
  const ended = vi.fn(() => ({ body: { end: verifiedEnd }, signature: "0x" as const }));
  const core = {
    grantRequest: () => ({ body: {}, signature: "0x" as const }),
    deliveryBegin: () => undefined,
    deliveryPush: (_cell: number, bytes: Uint8Array) => {
      if (verifiedEnd + bytes.length > lieAt) throw new CoreError("corrupt", "wrong bytes");
      verifiedEnd += bytes.length;
      return { verifiedEnd, complete: verifiedEnd === size };
    },
    deliveryEnd: ended,
  } as unknown as Protocol;
  const left = [...pieces];
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = left.shift();
      if (piece instanceof Error) controller.error(piece);
      else if (piece) controller.enqueue(piece);
      else controller.close();
    },
  });
  const gateway = { grant: async () => GRANT, delivery: async () => stream } as unknown as Gateway;
  const receipts: unknown[] = [];
  const controller = new AbortController();
  const fetch: CellFetch = {
    core, gateway, cell: 1, excluded: [], signal: controller.signal,
    nowMs: () => 0, granted: () => undefined, progressed: () => undefined, received: () => undefined, receipt: (receipt) => receipts.push(receipt),
  };
  return { fetch, receipts, ended, controller };
}

const piece = () => new Uint8Array(10);

test("a whole cell gives one receipt", async () => {
  const { fetch, receipts, ended } = delivery([piece(), piece(), piece()]);
  await fetchCell(fetch);
  expect(receipts).toHaveLength(1);
  expect(ended).toHaveBeenCalledTimes(1);
});

test("a lie is the liar's fault, and what came before it is receipted", async () => {
  const { fetch, receipts } = delivery([piece(), piece()], { lieAt: 15 });
  await expect(fetchCell(fetch)).rejects.toMatchObject({ failure: { code: "corrupt", fault: "liar" } });
  expect(receipts).toEqual([{ body: { end: 10 }, signature: "0x" }]);
});

test("a stream that ends early or breaks is the provider's absence", async () => {
  await expect(fetchCell(delivery([piece()]).fetch)).rejects.toMatchObject({ failure: { code: "delivery-short", fault: "absent" } });
  const broken = delivery([piece(), new Error("reset")]);
  await expect(fetchCell(broken.fetch)).rejects.toMatchObject({ failure: { code: "delivery-broken", fault: "absent" } });
});

test("a refused grant keeps the gateway's words and wait", async () => {
  const { fetch } = delivery([]);
  fetch.gateway.grant = async () => {
    throw new GatewayError("no-source", "nobody", 700);
  };
  await expect(fetchCell(fetch)).rejects.toMatchObject({ failure: { code: "no-source", fault: "gateway", retryMs: 700 } });
});

test("a delivery that falls silent is given up", async () => {
  vi.useFakeTimers();
  const { fetch, receipts } = delivery([]);
  fetch.gateway.delivery = async (_grant, signal) =>
    new ReadableStream({
      start: (controller) => {
        controller.enqueue(piece());
        signal.addEventListener("abort", () => controller.error(new DOMException("aborted", "AbortError")));
      },
    });
  const outcome = expect(fetchCell(fetch)).rejects.toMatchObject({ failure: { code: "delivery-stalled", fault: "absent" } });
  await vi.advanceTimersByTimeAsync(5_000);
  await outcome;
  expect(receipts).toHaveLength(1);
  vi.useRealTimers();
});

test("an aborted delivery frees the core at once and signs for what came", async () => {
  const { fetch, ended, controller } = delivery([piece(), piece(), piece()]);
  const running = fetchCell({
    ...fetch,
    progressed: () => {
      controller.abort();
      expect(ended).toHaveBeenCalledTimes(1);
    },
  });
  await running;
  expect(ended).toHaveBeenCalledTimes(1);
});
