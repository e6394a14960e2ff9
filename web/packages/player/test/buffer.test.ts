import type { Manifest } from "@chainflix/core/nouns";
import { expect, test } from "vitest";
import { isFilled, type Need, pickFragment, placesOf } from "../src/pick";
import { covers, overGap, type Range, runsTo } from "../src/ranges";

/** Two cells of 4 s; pictures every 2 s, sound every 2 s but one frame later. */
const manifest: Manifest = {
  title: "film",
  creator: "0x01",
  playTimeMs: 8_000,
  tracks: [],
  cells: [0, 4_000].map((startMs) => ({
    id: "0x02",
    size: 4,
    startMs,
    durationMs: 4_000,
    fragments: [0, 2_000].flatMap((at) => [
      { track: 1, size: 1, startMs: startMs + at + 20 },
      { track: 0, size: 1, startMs: startMs + at },
    ]),
  })),
};

function need(changes: Partial<Need> & { ranges?: [number, number][] }): Need {
  const buffered: Range[] = (changes.ranges ?? []).map(([startMs, endMs]) => ({ startMs, endMs }));
  return { positionMs: 0, aheadMs: 60_000, buffered, readable: () => 4, givenUp: () => false, ...changes };
}

const pictures = placesOf(manifest, 0);

test("a track's fragments are in order, each until the next", () => {
  expect(pictures.map(({ cell, fragment, startMs, endMs }) => [cell, fragment, startMs, endMs])).toEqual([
    [0, 1, 0, 2_000],
    [0, 3, 2_000, 4_000],
    [1, 1, 4_000, 6_000],
    [1, 3, 6_000, 8_000],
  ]);
});

test("the next fragment is the first one that is not buffered, from the picture on", () => {
  expect(pickFragment(pictures, need({}))?.startMs).toBe(0);
  expect(pickFragment(pictures, need({ ranges: [[0, 3_990]] }))?.startMs).toBe(4_000);
  expect(pickFragment(pictures, need({ positionMs: 6_500 }))?.startMs).toBe(6_000);
  expect(pickFragment(pictures, need({ positionMs: 2_500, ranges: [[0, 8_000]] }))).toBeUndefined();
});

test("what cannot be read yet is waited for, in order", () => {
  const first = (cell: number) => (cell === 0 ? 2 : 4);
  expect(pickFragment(pictures, need({ readable: first }))?.startMs).toBe(0);
  expect(pickFragment(pictures, need({ readable: first, ranges: [[0, 2_000]] }))).toBeUndefined();
});

test("nothing is appended farther ahead than wanted", () => {
  expect(pickFragment(pictures, need({ aheadMs: 3_000, ranges: [[0, 4_000]] }))).toBeUndefined();
});

test("a fragment that never shows up is given up, and the film still ends", () => {
  const givenUp = ({ startMs }: { startMs: number }) => startMs === 2_000;
  expect(pickFragment(pictures, need({ givenUp, ranges: [[0, 2_000]] }))?.startMs).toBe(4_000);
  expect(isFilled(pictures, need({ givenUp, ranges: [[0, 2_000], [4_000, 8_000]] }))).toBe(true);
  expect(isFilled(pictures, need({ ranges: [[0, 2_000], [4_000, 8_000]] }))).toBe(false);
});

test("ranges answer where media is, how far it runs, and where it goes on", () => {
  const ranges = [{ startMs: 100, endMs: 900 }, { startMs: 1_100, endMs: 2_000 }];
  expect([covers(ranges, 99), covers(ranges, 100), covers(ranges, 900)]).toEqual([false, true, false]);
  expect([runsTo(ranges, 500), runsTo(ranges, 1_000)]).toEqual([900, 1_000]);
  expect([overGap(ranges, 0, 500), overGap(ranges, 950, 500), overGap(ranges, 950, 100), overGap(ranges, 500, 500)]).toEqual([100, 1_100, undefined, undefined]);
});
