import { expect, test } from "vitest";
import type { PlaySettlement } from "../src/plays";
import { Village } from "./village";

test("nothing is fetched before the first press of play", () => {
  const village = new Village();
  village.run(5_000);
  expect(village.log).toEqual([]);
  expect(village.session.deadline(village.nowMs)).toBeUndefined();
});

test("a film watched from start to end proves every cell once, in time, without a gap", () => {
  const village = new Village(3);
  village.play();
  village.run(190_000);
  expect(village.of("ask").map(({ cell }) => cell)).toEqual([0, 1, 2]);
  expect(village.of("prove").map(({ cell }) => cell)).toEqual([0, 1, 2]);
  expect(village.of("ask").map(({ supersedes }) => supersedes)).toEqual([null, null, null]);
  expect([0, 1, 2].map((cell) => village.playOf(cell)?.kind)).toEqual(["proved", "proved", "proved"]);
  expect(village.positionMs).toBe(180_000);
});

test("the proof waits until the minute is over, by a little more", () => {
  const village = new Village(2);
  let askedAtMs = 0;
  let provedAtMs = 0;
  village.override = (effect) => {
    if (effect.kind === "ask" && effect.cell === 0) askedAtMs = village.nowMs;
    if (effect.kind === "prove" && effect.cell === 0) provedAtMs = village.nowMs;
    return false;
  };
  village.play();
  village.run(70_000);
  expect(provedAtMs - askedAtMs).toBeGreaterThanOrEqual(60_000);
  expect(provedAtMs - askedAtMs).toBeLessThan(60_500);
});

test("the next PlayCode is asked for at most the overlap before the minute ends", () => {
  const village = new Village(2);
  const askedAtMs: number[] = [];
  village.override = (effect) => {
    if (effect.kind === "ask") askedAtMs.push(village.nowMs);
    return false;
  };
  village.play();
  village.run(61_000);
  const [first = 0, second = 0] = askedAtMs;
  expect(second - first).toBeGreaterThanOrEqual(55_000);
  expect(second - first).toBeLessThan(58_000);
});

test("two cells beyond the picture are fetched when it comes near them, no more", () => {
  const village = new Village(6);
  village.play();
  village.run(1_000);
  expect(village.of("fetch").map(({ cell }) => cell)).toEqual([0]);
  village.run(15_000);
  expect(village.of("fetch").map(({ cell }) => cell)).toEqual([0, 1]);
});

test("a jump to another cell gives the running play up and asks for the new one", () => {
  const village = new Village(3);
  village.play();
  village.run(10_000);
  village.seek(120_000);
  village.run(1_000);
  const [first, second] = village.of("ask");
  expect(second).toMatchObject({ cell: 2, supersedes: `0x${"1".padStart(32, "0")}` });
  expect(first?.cell).toBe(0);
  expect(village.playOf(0)).toEqual({ kind: "unpaid", reason: "skipped" });
  expect(village.playOf(2)?.kind).toBe("running");
});

test("a cell entered in its middle is watched but never proved, and the next one is", () => {
  const village = new Village(3);
  village.play();
  village.run(2_000);
  village.seek(90_000);
  village.run(95_000);
  expect(village.playOf(1)).toEqual({ kind: "unpaid", reason: "skipped" });
  expect(village.of("prove").map(({ cell }) => cell)).toEqual([2]);
  expect(village.of("ask").find(({ cell }) => cell === 2)?.supersedes).not.toBeNull();
});

test("skipping forward inside a cell costs its pay; going back to its start earns it anew", () => {
  const village = new Village(2);
  village.play();
  village.run(5_000);
  village.seek(40_000);
  expect(village.playOf(0)).toEqual({ kind: "unpaid", reason: "skipped" });
  village.seek(0);
  village.run(65_000);
  expect(village.of("ask").map(({ cell }) => cell)).toEqual([0, 0, 1]);
  expect(village.of("prove").map(({ cell }) => cell)).toEqual([0]);
});

test("a jump back inside the cell keeps the play as long as it ends in time", () => {
  const village = new Village(2);
  village.play();
  village.run(20_000);
  village.seek(5_000);
  village.run(60_000);
  expect(village.of("prove").map(({ cell }) => cell)).toContain(0);
});

test("a short pause is paid, a long one is said", () => {
  const short = new Village(2);
  short.play();
  short.run(10_000);
  short.pause();
  short.run(20_000);
  short.play();
  short.run(55_000);
  expect(short.of("prove").map(({ cell }) => cell)).toEqual([0]);

  const long = new Village(2);
  long.play();
  long.run(10_000);
  long.pause();
  const before = long.log.length;
  long.run(100_000);
  expect(long.playOf(0)).toEqual({ kind: "unpaid", reason: "paused" });
  expect(long.log.slice(before).map(({ kind }) => kind)).toEqual(["cell"]);
});

test("a film played at double speed never stands still, and goes unpaid where it is too fast", () => {
  const village = new Village(3);
  village.rate = 2;
  village.override = (effect) => {
    const tooEarly = effect.kind === "ask" && effect.cell === 1;
    if (tooEarly) village.handle({ kind: "answered", cell: 1, start: { mining: false, unpaid: "overlapping" } });
    return tooEarly;
  };
  village.play();
  village.run(45_000);
  expect(village.positionMs).toBeGreaterThan(80_000);
  expect(village.playOf(1)).toEqual({ kind: "unpaid", reason: "overlapping" });
  village.run(20_000);
  expect(village.of("prove").map(({ cell }) => cell)).toContain(0);
});

test("a provider that lies is never asked again, one that falls silent not for a while", () => {
  const village = new Village(3);
  let tries = 0;
  village.override = (effect) => {
    if (effect.kind !== "fetch" || tries >= 2) return false;
    tries += 1;
    const { attempt } = effect;
    village.handle({ kind: "granted", attempt, grant: "0xaa", provider: tries === 1 ? "0x0f" : "0x0e" });
    village.handle({ kind: "progressed", attempt, verified: { verifiedEnd: 1_000 * tries, complete: false } });
    const fault = tries === 1 ? "liar" : "absent";
    village.handle({ kind: "fetchFailed", attempt, failure: { code: "x", fault }, message: "" });
    return true;
  };
  village.play();
  village.run(1_000);
  expect(village.of("fetch").slice(0, 3).map(({ excluded }) => [...excluded].sort())).toEqual([[], ["0x0f"], ["0x0e", "0x0f"]]);
  village.run(90_000);
  expect(village.of("fetch").at(-1)?.excluded).toEqual(["0x0f"]);
  expect(village.of("prove").map(({ cell }) => cell)).toEqual([0]);
});

test("without a source the viewer waits longer each time and forgives the silent", () => {
  const village = new Village(1);
  const atMs: number[] = [];
  village.override = (effect) => {
    if (effect.kind !== "fetch") return false;
    atMs.push(village.nowMs);
    village.handle({ kind: "fetchFailed", attempt: effect.attempt, failure: { code: "no-source", fault: "gateway" }, message: "" });
    return true;
  };
  village.play();
  village.run(4_000);
  const gaps = atMs.slice(1).map((at, index) => at - (atMs[index] ?? 0));
  expect(gaps.slice(0, 4)).toEqual([250, 500, 1_000, 2_000]);
  expect(village.cells.get(0)?.delivery).toEqual({ kind: "waiting", code: "no-source" });
});

test("a takedown stops the film for good", () => {
  const village = new Village(2);
  village.override = (effect) => {
    const next = effect.kind === "ask" && effect.cell === 1;
    if (next) village.handle({ kind: "askFailed", cell: 1, code: "taken-down", message: "a supervisor stopped this video" });
    return next;
  };
  village.play();
  village.run(70_000);
  expect(village.of("stop")).toEqual([{ kind: "stop", code: "taken-down", message: "a supervisor stopped this video" }]);
  expect(village.session.deadline(village.nowMs)).toBeUndefined();
});

test("a play left behind by a reload is given up with the first request", () => {
  const village = new Village(2, "0xdead");
  village.play();
  village.run(1_000);
  expect(village.of("ask")[0]?.supersedes).toBe("0xdead");
});

test("a forgotten grant is replaced by a fresh delivery", () => {
  const village = new Village(1);
  let refusals = 3;
  village.override = (effect) => {
    if (effect.kind !== "ask" || refusals === 0) return false;
    refusals -= 1;
    village.handle({ kind: "askFailed", cell: 0, code: "unknown-grant", message: "" });
    return true;
  };
  village.play();
  village.run(10_000);
  expect(village.of("drop")).toEqual([{ kind: "drop", cell: 0 }]);
  expect(village.of("fetch").map(({ cell }) => cell)).toEqual([0, 0]);
  expect(village.playOf(0)?.kind).toBe("running");
});

test("a proof that the gateway lost is sent again, a refused one is said", () => {
  const lost = new Village(1);
  let losses = 2;
  lost.override = (effect) => {
    if (effect.kind !== "prove" || losses === 0) return false;
    losses -= 1;
    lost.handle({ kind: "proofFailed", cell: 0, code: "unreachable", transient: true });
    return true;
  };
  lost.play();
  lost.run(65_000);
  expect(lost.of("prove")).toHaveLength(3);
  expect(lost.playOf(0)?.kind).toBe("proved");

  const refused = new Village(1);
  refused.override = (effect) => {
    if (effect.kind !== "prove") return false;
    refused.handle({ kind: "proofFailed", cell: 0, code: "wrong-hash", transient: false });
    return true;
  };
  refused.play();
  refused.run(65_000);
  expect(refused.of("prove")).toHaveLength(1);
  expect(refused.playOf(0)).toEqual({ kind: "unpaid", reason: "wrong-hash" });
});

test("a proof that lacks the provider's receipt is worth some more tries, and differing ones are disputed", () => {
  const village = new Village(1);
  let code = "receipts-missing";
  village.override = (effect) => {
    if (effect.kind !== "prove") return false;
    village.handle({ kind: "proofFailed", cell: 0, code, transient: false });
    return true;
  };
  village.play();
  village.run(60_500);
  expect(village.of("dispute")).toEqual([]);
  code = "receipts-differ";
  village.run(5_000);
  expect(village.of("prove")).toHaveLength(4);
  expect(village.of("dispute")).toHaveLength(2);
  expect(village.playOf(0)).toEqual({ kind: "unpaid", reason: "receipts-differ" });
});

test("a proved play is shown as far as the validators have come with it", () => {
  const village = new Village(1);
  village.play();
  village.run(62_000);
  const { play = "0x" } = village.of("prove")[0] ?? {};
  const settled = (settlement: PlaySettlement) => village.handle({ kind: "settled", play, settlement });
  settled({ status: "pending", viewBlock: 4 });
  expect(village.playOf(0)).toEqual({ kind: "pending", play, viewBlock: 4 });
  settled({ status: "auditing", viewBlock: 4 });
  expect(village.playOf(0)).toEqual({ kind: "audited", play, viewBlock: 4 });
  settled({ status: "accepted", viewBlock: 4 });
  expect(village.playOf(0)).toEqual({ kind: "mined", viewBlock: 4 });
  settled({ status: "refused", code: "voided" });
  expect(village.playOf(0)?.kind).toBe("mined");
  expect(village.session.unfinished).toBeNull();
});

test("an audit that fails is said", () => {
  const village = new Village(1);
  village.play();
  village.run(62_000);
  const { play = "0x" } = village.of("prove")[0] ?? {};
  village.handle({ kind: "settled", play, settlement: { status: "auditing", viewBlock: 4 } });
  village.handle({ kind: "settled", play, settlement: { status: "refused", code: "voided" } });
  expect(village.playOf(0)).toEqual({ kind: "unpaid", reason: "voided" });
});

test("a viewer who is away neither fetches nor asks, and goes on when back", () => {
  const village = new Village(3);
  village.play();
  village.run(3_000);
  village.pause();
  village.handle({ kind: "shown", shown: false });
  const before = village.log.length;
  village.seek(130_000);
  expect(village.session.isAway).toBe(true);
  expect(village.session.isBusy).toBe(false);
  expect(village.session.deadline(village.nowMs)).toBeUndefined();
  village.run(300_000);
  expect(village.log.slice(before).filter(({ kind }) => kind !== "cell")).toEqual([]);
  village.handle({ kind: "shown", shown: true });
  village.run(1_000);
  expect(village.log.slice(before).map(({ kind }) => kind)).toEqual(expect.arrayContaining(["fetch", "ask"]));
});

test("a hidden film that plays is watched and proved like any other", () => {
  const village = new Village(2);
  village.play();
  village.run(1_000);
  village.handle({ kind: "shown", shown: false });
  expect(village.session.isBusy).toBe(true);
  village.run(125_000);
  expect(village.of("prove").map(({ cell }) => cell)).toEqual([0, 1]);
  expect(village.session.isBusy).toBe(false);
});

test("what was watched is proved though the viewer left", () => {
  const village = new Village(1);
  village.override = (effect) => {
    if (effect.kind !== "prove") return false;
    expect(village.session.isAway).toBe(true);
    return false;
  };
  village.play();
  village.run(60_000);
  expect(village.positionMs).toBe(60_000);
  village.handle({ kind: "shown", shown: false });
  expect(village.session.isBusy).toBe(true);
  village.run(1_000);
  expect(village.playOf(0)?.kind).toBe("proved");
  expect(village.session.isBusy).toBe(false);
});

test("a delivery that runs when the viewer leaves ends in order", () => {
  const village = new Village(1);
  let attempt = -1;
  village.override = (effect) => {
    if (effect.kind === "fetch") attempt = effect.attempt;
    return effect.kind === "fetch";
  };
  village.play();
  village.handle({ kind: "granted", attempt, grant: "0xaa", provider: "0x01" });
  village.pause();
  village.handle({ kind: "shown", shown: false });
  village.run(1_000);
  expect(village.of("abort")).toEqual([]);
  expect(village.session.isBusy).toBe(true);
  village.handle({ kind: "progressed", attempt, verified: { verifiedEnd: 10_000, complete: true } });
  expect(village.session.isBusy).toBe(false);
});

test("a cell that was mined before plays for free", () => {
  const village = new Village(2);
  village.override = (effect) => {
    if (effect.kind !== "ask") return false;
    village.handle({ kind: "answered", cell: effect.cell, start: { mining: false, unpaid: "already-mined" } });
    return true;
  };
  village.play();
  village.run(125_000);
  expect(village.positionMs).toBe(120_000);
  expect(village.playOf(0)).toEqual({ kind: "mined", viewBlock: null });
  expect(village.of("prove")).toEqual([]);
});

test("a paused viewer who jumps gets the picture of the new place", () => {
  const village = new Village(3);
  village.play();
  village.run(2_000);
  village.pause();
  village.seek(70_000);
  village.run(1_000);
  expect(village.cells.get(1)?.readable).toBe(10);
});
