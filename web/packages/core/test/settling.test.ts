import { expect, test } from "vitest";
import type { PlayStatus } from "../src/gateway";
import type { PlayId } from "../src/nouns";
import { FOLLOW_MS_MAX, FOLLOWED_MAX, Settling, type SettlingEffect, type SettlingInput } from "../src/settling";

const SLOT_MS = 14_400;
const ACCOUNT = "0xAb01";

/** A viewer's plays, and validators that say what a test has them say. */
class Court {
  nowMs = 1_000_000;
  readonly log: SettlingEffect[] = [];
  readonly says = new Map<PlayId, PlayStatus | null>();
  /** Whether an opening gets through; `undefined` leaves it on its way. */
  takes: boolean | undefined = true;
  readonly settling = new Settling({ slotMs: SLOT_MS }, () => 0.5);

  handle(input: SettlingInput): void {
    this.settling.handle(this.nowMs, input);
    for (let effect = this.settling.poll(); effect; effect = this.settling.poll()) {
      this.log.push(effect);
      if (effect.kind === "look") this.handle({ kind: "looked", play: effect.play, status: this.says.get(effect.play) ?? null });
      if (effect.kind === "open" && this.takes !== undefined) {
        this.handle(this.takes ? { kind: "openingTaken", play: effect.play } : { kind: "openingFailed", play: effect.play, transient: true });
      }
    }
  }

  prove(play: PlayId): void {
    this.says.set(play, { status: "proved" });
    this.handle({ kind: "proved", play: { play, account: ACCOUNT, provedAtMs: this.nowMs } });
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (let at = this.settling.deadline(); at !== undefined && at <= untilMs; at = this.settling.deadline()) {
      this.nowMs = Math.max(at, this.nowMs + 1);
      this.handle({ kind: "tick" });
    }
    this.nowMs = untilMs;
  }

  kinds(from = 0): string[] {
    return this.log.slice(from).map((effect) => (effect.kind === "told" ? effect.status.status : effect.kind));
  }
}

const viewBlock: SettlingInput = { kind: "viewBlock", viewers: ["0x77", "0xaB01"] };

test("a play that is not drawn costs two looks: after its view block, and after the award", () => {
  const court = new Court();
  court.prove("0x01");
  court.says.set("0x01", { status: "pending", viewBlock: 7 });
  court.handle(viewBlock);
  court.says.set("0x01", { status: "accepted", viewBlock: 7 });
  court.handle({ kind: "award", viewBlock: 6 });
  court.handle({ kind: "award", viewBlock: 7 });
  expect(court.kinds()).toEqual(["look", "pending", "look", "accepted", "forget"]);
  expect(court.settling.isIdle).toBe(true);
  expect(court.settling.deadline()).toBeUndefined();
});

test("view blocks without plays of ours are no reason to look", () => {
  const court = new Court();
  court.prove("0x01");
  court.handle({ kind: "viewBlock", viewers: ["0x77"] });
  expect(court.log).toEqual([]);
});

test("a drawn play is opened as soon as the draw can be known, and again a few times while there is no verdict", () => {
  const court = new Court();
  court.prove("0x01");
  court.handle({ kind: "head", number: 100 });
  court.says.set("0x01", { status: "pending", viewBlock: 7 });
  court.handle(viewBlock);
  court.says.set("0x01", { status: "auditing", viewBlock: 7, untilMs: 0 });
  court.handle({ kind: "head", number: 102 });
  expect(court.kinds()).toEqual(["look", "pending"]);
  court.handle({ kind: "head", number: 103 });
  expect(court.kinds(2)).toEqual(["look", "auditing", "open"]);
  court.run(9_000);
  expect(court.kinds().filter((kind) => kind === "open")).toHaveLength(1);
  court.run(120_000);
  expect(court.kinds().filter((kind) => kind === "open")).toHaveLength(3);
  court.says.set("0x01", { status: "accepted", viewBlock: 7 });
  court.handle({ kind: "award", viewBlock: 7 });
  expect(court.kinds().slice(-2)).toEqual(["accepted", "forget"]);
});

test("an opening that does not get through is handed in again, a refused one is not", () => {
  const court = new Court();
  court.takes = false;
  court.prove("0x01");
  court.says.set("0x01", { status: "auditing", viewBlock: 7 });
  court.handle(viewBlock);
  court.run(2_000);
  expect(court.kinds().filter((kind) => kind === "open").length).toBeGreaterThan(2);
  court.takes = undefined;
  court.run(10_000);
  const sent = court.kinds().length;
  court.handle({ kind: "openingFailed", play: "0x01", transient: false });
  court.run(10_000);
  expect(court.kinds(sent)).not.toContain("open");
  court.says.set("0x01", { status: "refused", code: "voided" });
  court.handle({ kind: "award", viewBlock: 7 });
  expect(court.kinds().slice(-2)).toEqual(["refused", "forget"]);
});

test("missed events are made up for, more and more seldom", () => {
  const court = new Court();
  court.prove("0x01");
  court.run(3 * SLOT_MS - 1);
  expect(court.log).toEqual([]);
  court.run(FOLLOW_MS_MAX - 3 * SLOT_MS);
  expect(court.kinds().filter((kind) => kind === "look").length).toBeLessThan(12);
  court.run(10_000);
  expect(court.kinds().at(-1)).toBe("forget");
  expect(court.settling.isIdle).toBe(true);
});

test("an event during a look makes another one, and what is known is not taken back", () => {
  const court = new Court();
  court.prove("0x01");
  const { settling } = court;
  settling.handle(court.nowMs, viewBlock);
  expect(settling.poll()).toEqual({ kind: "look", play: "0x01" });
  settling.handle(court.nowMs, viewBlock);
  expect(settling.poll()).toBeUndefined();
  settling.handle(court.nowMs, { kind: "looked", play: "0x01", status: { status: "pending", viewBlock: 7 } });
  expect(settling.poll()).toMatchObject({ kind: "told" });
  expect(settling.poll()).toEqual({ kind: "look", play: "0x01" });
  settling.handle(court.nowMs, { kind: "looked", play: "0x01", status: { status: "unknown" } });
  expect(settling.poll()).toBeUndefined();
});

test("plays that an earlier page left behind are looked at at once", () => {
  const court = new Court();
  court.says.set("0x01", { status: "auditing", viewBlock: 7 });
  court.handle({ kind: "found", play: { play: "0x01", account: ACCOUNT, provedAtMs: court.nowMs - 500 } });
  expect(court.kinds()).toEqual(["look", "auditing", "open"]);
});

test("what happened while no events came is looked up when they come again", () => {
  const court = new Court();
  court.prove("0x01");
  court.says.set("0x01", { status: "auditing", viewBlock: 7 });
  court.handle({ kind: "connected" });
  expect(court.kinds()).toEqual(["look", "auditing", "open"]);
});

test("only so many plays are followed; the oldest goes first", () => {
  const court = new Court();
  for (let index = 0; index <= FOLLOWED_MAX; index += 1) court.prove(`0x${index.toString(16)}`);
  expect(court.log).toEqual([{ kind: "forget", play: "0x0" }]);
});
