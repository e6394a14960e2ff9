import type { AccountPlay } from "@chainflix/core/gateway";
import { expect, test } from "vitest";
import refusals from "../../../../crates/proof-of-view/refusals.json";
import { mergePlays } from "../src/lib/merge-plays";
import { earnedBy, wordsOfPlay } from "../src/lib/play-words";
import { en } from "../src/messages/en";
import { ko } from "../src/messages/ko";

const play = (id: number, more: Partial<AccountPlay> = {}): AccountPlay => ({
  play: `0x0${id}`, magnet: "0x01", cellIndex: 0, timeMs: 10 - id, status: "proved", ...more,
});
const ids = (plays: readonly AccountPlay[] | undefined) => plays?.map(({ play }) => play);

test("a fresh page goes before the older ones, and takes the place of what it repeats", () => {
  const known = [play(3), play(4), play(5)];
  const merged = mergePlays(known, [play(1), play(2), play(3, { status: "accepted" })]);
  expect(ids(merged)).toEqual(["0x01", "0x02", "0x03", "0x04", "0x05"]);
  expect(merged?.[2]?.status).toBe("accepted");
  expect(mergePlays([], [play(1)])).toEqual([play(1)]);
});

test("a page that does not join on is told", () => {
  expect(mergePlays([play(3)], [play(1)])).toBeUndefined();
  expect(mergePlays([play(3)], [])).toBeUndefined();
});

test("refused wishes have no play and are told apart all the same", () => {
  const wish = (timeMs: number) => play(0, { play: null, timeMs });
  expect(mergePlays([wish(1), wish(2)], [wish(3), wish(1)])).toHaveLength(3);
});

test("each state of a play has a name in both languages, and a refusal its reason", () => {
  const reason = (code: string) => ({ happened: `happened ${code}`, advice: "advice" });
  for (const m of [en, ko]) {
    const names = (["running", "proved", "pending", "auditing", "accepted", "refused"] as const).map((status) => wordsOfPlay(play(1, { status }), m, reason).name);
    expect(new Set(names).size).toBe(6);
  }
  expect(wordsOfPlay(play(1, { status: "refused", code: "x" }), en, reason)).toMatchObject({ look: "unpaid", detail: "happened x", advice: "advice" });
});

test("a viewer is told its own part", () => {
  expect(earnedBy(play(1))).toBeUndefined();
  expect(earnedBy(play(1, { paid: [{ role: "viewer", gwei: 27 }, { role: "creator", gwei: 63 }] }))).toBe(27n);
});

test("every reason is told in both languages, and in one place only", () => {
  expect(Object.keys(en.fault).sort()).toEqual(Object.keys(ko.fault).sort());
  expect(Object.keys(refusals).filter((code) => code in en.fault)).toEqual([]);
  for (const { en, ko } of Object.values(refusals)) expect([en.happened, en.advice, ko.happened, ko.advice].every(Boolean)).toBe(true);
});
