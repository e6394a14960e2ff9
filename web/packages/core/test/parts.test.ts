import { expect, test } from "vitest";
import { waitMs } from "../src/backoff";
import { MediaClock } from "../src/clock";
import { cellAt } from "../src/nouns";
import { film } from "./village";

test("waits double, are bounded, and never undercut what was asked", () => {
  const backoff = { firstMs: 100, mostMs: 1_000 };
  expect([1, 2, 3, 4, 5, 9].map((tries) => waitMs(backoff, tries, 0.5))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(waitMs(backoff, 1, 0)).toBe(75);
  expect(waitMs(backoff, 1, 0.5, 5_000)).toBe(5_000);
});

test("the clock runs on between reports, but does not believe a long silence", () => {
  const clock = new MediaClock();
  clock.set(10_000, { positionMs: 500, wanted: true, moving: true, rate: 2, ended: false });
  expect(clock.positionMs(10_100)).toBe(700);
  expect(clock.positionMs(99_000)).toBe(2_500);
  expect(clock.whenAt(900)).toBe(10_200);
  expect(clock.whenAt(9_000)).toBeUndefined();
  clock.set(11_000, { positionMs: 900, wanted: true, moving: false, rate: 1, ended: false });
  expect(clock.positionMs(12_000)).toBe(900);
  expect(clock.whenAt(1_000)).toBeUndefined();
});

test("media time belongs to the cell that starts at or before it", () => {
  expect([0, 59_999, 60_000, 119_999, 120_000, 1e9].map((at) => cellAt(film(3), at))).toEqual([0, 0, 1, 1, 2, 2]);
});
