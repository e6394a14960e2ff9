import { expect, test, vi } from "vitest";
import { GatewayError, type PlayStatus } from "../src/gateway";
import type { KeptPlay, OpeningStore } from "../src/opening-store";
import { Settler, type SettlerContext } from "../src/settler";

const kept = (play: `0x${string}`): KeptPlay => ({ play, account: "0x01", provedAtMs: 1_000, opening: new Uint8Array([1, 2, 3]) });

function memoryStore(): OpeningStore & { plays: Map<string, KeptPlay> } {
  const plays = new Map<string, KeptPlay>();
  return {
    plays,
    all: async () => [...plays.values()],
    put: async (play) => void plays.set(play.play, play),
    delete: async (play) => void plays.delete(play),
  };
}

function court({ store = memoryStore() as OpeningStore, fails = 0 } = {}) {
  const said = { status: { status: "proved" } as PlayStatus };
  const openings: Uint8Array[] = [];
  const told: string[] = [];
  const context: SettlerContext = {
    gateway: {
      play: async () => said.status,
      opening: async (opening) => {
        if (openings.push(opening) <= fails) throw new GatewayError("bad-opening", "wrong");
      },
    },
    store,
    params: { slotMs: 14_400 },
    nowMs: () => 2_000,
    told: (_play, { status }) => told.push(status),
    changed: () => undefined,
  };
  return { settler: new Settler(context), said, openings, told };
}

/** Lets promises that are settled already run on. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

test("an opening is kept until its play is settled, and handed in as it is", async () => {
  const store = memoryStore();
  const { settler, said, openings, told } = court({ store });
  await settler.keep(kept("0x0a"));
  expect([...store.plays.keys()]).toEqual(["0x0a"]);
  said.status = { status: "auditing", viewBlock: 3 };
  settler.handle({ kind: "viewBlock", viewers: ["0x01"] });
  await settle();
  expect(openings).toEqual([new Uint8Array([1, 2, 3])]);
  said.status = { status: "accepted", viewBlock: 3 };
  settler.handle({ kind: "award", viewBlock: 3 });
  await settle();
  expect(told).toEqual(["auditing", "accepted"]);
  expect([store.plays.size, settler.isIdle]).toEqual([0, true]);
});

test("a play may be proved only when a reload would find it, or its store is too slow", async () => {
  const store = memoryStore();
  let stored = () => {};
  const { settler } = court({ store: { ...store, put: () => new Promise((resolve) => (stored = resolve)) } });
  let isKept = false;
  const keeping = settler.keep(kept("0x0a")).then(() => (isKept = true));
  await settle();
  expect(isKept).toBe(false);
  stored();
  await keeping;
  vi.useFakeTimers();
  try {
    const slow = settler.keep(kept("0x0b"));
    await vi.advanceTimersByTimeAsync(1_000);
    await slow;
  } finally {
    vi.useRealTimers();
  }
});

test("a reload takes up what the page before it left behind", async () => {
  const store = memoryStore();
  store.plays.set("0x0a", kept("0x0a"));
  const { settler, said, openings } = court({ store });
  said.status = { status: "auditing", viewBlock: 3 };
  await settler.resume();
  settler.handle({ kind: "viewBlock", viewers: ["0x01"] });
  await settle();
  expect(openings).toHaveLength(1);
});

test("a store that fails keeps nobody from answering", async () => {
  const broken = () => Promise.reject(new Error("no disk"));
  const { settler, said, openings } = court({ store: { all: broken, put: broken, delete: broken } });
  await settler.resume();
  await settler.keep(kept("0x0a"));
  said.status = { status: "auditing", viewBlock: 3 };
  settler.handle({ kind: "viewBlock", viewers: ["0x01"] });
  await settle();
  expect(openings).toHaveLength(1);
});

test("a refused opening is not sent again", async () => {
  const { settler, said, openings } = court({ fails: 1 });
  await settler.keep(kept("0x0a"));
  said.status = { status: "auditing", viewBlock: 3 };
  settler.handle({ kind: "viewBlock", viewers: ["0x01"] });
  await settle();
  settler.handle({ kind: "viewBlock", viewers: ["0x01"] });
  settler.handle({ kind: "tick" });
  await settle();
  expect(openings).toHaveLength(1);
});
