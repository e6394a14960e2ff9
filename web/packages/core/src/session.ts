// One viewer watching one film: decides what to fetch, when to ask for PlayCodes, what to prove, what to forget.
//
// ```text
//   media element ── clock, seek ──▶ ┌─────────────┐ ── fetch, abort ──▶ providers
//   providers ── progress, failure ─▶│ FilmSession │ ── ask, prove ────▶ validators
//   validators ── answers ──────────▶│             │ ── advance, mine ─▶ Rust core
//   Rust core ── folded, nonce ─────▶└─────────────┘ ── cell, stop ────▶ page
// ```
//
// **After every `handle`, drain `poll` until it answers `undefined`, then sleep until `deadline`.** It owns no clock, no
// network and no bytes; times are the caller's monotonic clock in milliseconds. Nothing happens before the first press of
// play, and a paused film asks for nothing but what the viewer jumped to. While the viewer is *away* (the page is hidden
// and the film does not play) no delivery begins and no key is asked for; a delivery that is running ends in order, since
// a receipt for half a cell may cost the minute, and a minute that was watched is still proved.

import type { CellState, DeliveryState } from "./cell-state";
import { MediaClock, type ClockReading } from "./clock";
import { Deliveries, type FetchEffect, type FetchFailure } from "./deliveries";
import { cellAt, type GrantId, type Manifest, type NodeId, type PlayId, type ProtocolParams } from "./nouns";
import { Plays, type PlayEffect, type PlaySettlement } from "./plays";
import type { PlayStart, Verified } from "./protocol";

/** Sealed media is fetched this far ahead of the picture, */
const AHEAD_MS = 45_000;
/** but never more cells than this beyond the current one. */
const AHEAD_CELLS = 2;
/** Bytes of cells that are kept for jumping back. */
const HELD_BYTES_MAX = 192 << 20;
/** A jump that is not followed by another for so long is meant: a paused viewer gets its picture. */
const SETTLE_MS = 400;

/** A grant is held for forgotten after being unknown this often. */
const UNKNOWN_GRANT_TRIES = 3;

/** Refusals after which no second try can help: the film stops. */
const FATAL: ReadonlySet<string> = new Set([
  "taken-down",
  "unknown-video",
  "unknown-cell",
  "bad-signature",
  "stale-request",
  "malformed",
  "other-grant",
]);

export type SessionInput =
  | { readonly kind: "clock"; readonly reading: ClockReading }
  | { readonly kind: "seek"; readonly positionMs: number }
  | { readonly kind: "granted"; readonly attempt: number; readonly grant: GrantId; readonly provider: NodeId }
  | { readonly kind: "progressed"; readonly attempt: number; readonly verified: Verified }
  | { readonly kind: "fetchFailed"; readonly attempt: number; readonly failure: FetchFailure; readonly message: string }
  | { readonly kind: "answered"; readonly cell: number; readonly start: PlayStart }
  | { readonly kind: "askFailed"; readonly cell: number; readonly code: string; readonly message: string; readonly retryMs?: number | undefined }
  | { readonly kind: "folded"; readonly cell: number; readonly folded: number }
  | { readonly kind: "mined"; readonly cell: number; readonly nonce: number }
  | { readonly kind: "proofSent"; readonly cell: number }
  | { readonly kind: "proofFailed"; readonly cell: number; readonly code: string; readonly transient: boolean }
  /** The validators came further with a proved play. */
  | { readonly kind: "settled"; readonly play: PlayId; readonly settlement: PlaySettlement }
  /** The page is shown, or not. */
  | { readonly kind: "shown"; readonly shown: boolean }
  | { readonly kind: "tick" };

export type SessionEffect =
  | FetchEffect
  | PlayEffect
  /** Free the cell's memory. */
  | { readonly kind: "drop"; readonly cell: number }
  /** Tell the page how the cell stands. */
  | { readonly kind: "cell"; readonly state: CellState }
  /** Playback ends, with the words for it. */
  | { readonly kind: "stop"; readonly code: string; readonly message: string };

export interface SessionOptions {
  /** In [0, 1), for spreading retries. */
  readonly random: () => number;
  /** A play left behind by an earlier page. */
  readonly givenUp?: PlayId | null;
}

export class FilmSession {
  readonly #manifest: Manifest;
  readonly #clock = new MediaClock();
  readonly #deliveries: Deliveries;
  readonly #plays: Plays;
  readonly #effects: SessionEffect[] = [];
  /** What the page was told of each cell. */
  readonly #told = new Map<number, CellState>();
  #current = 0;
  #started = false;
  #stopped = false;
  #shown = true;
  /** A jump whose picture is still to be fetched, and since when. */
  #jumpedAtMs: number | null = null;

  constructor(manifest: Manifest, params: ProtocolParams, { random, givenUp = null }: SessionOptions) {
    this.#manifest = manifest;
    this.#deliveries = new Deliveries(manifest, random);
    this.#plays = new Plays(manifest, params, random, givenUp);
    this.#plays.enter(0, 0);
  }

  handle(nowMs: number, input: SessionInput): void {
    if (this.#stopped) return;
    this.#take(nowMs, input);
    if (this.#stopped) return;
    this.#decide(nowMs);
  }

  poll(): SessionEffect | undefined {
    return this.#effects.shift();
  }

  /** When to call `handle` with a `tick` though nothing happened. */
  deadline(nowMs: number): number | undefined {
    if (this.#stopped) return undefined;
    const jump = this.#jumpedAtMs === null || this.isAway ? undefined : this.#jumpedAtMs + SETTLE_MS;
    const times = [
      this.#deliveries.deadline(this.#wanted(nowMs)),
      this.#plays.deadline(nowMs, this.#clock, this.#current, this.isAway),
      jump !== undefined && jump > nowMs ? jump : undefined,
    ].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** The play that a page which closes now leaves behind. */
  get unfinished(): PlayId | null {
    return this.#plays.unfinished;
  }

  /** The page is hidden and the film does not play. */
  get isAway(): boolean {
    return !this.#shown && !this.#clock.reading.wanted;
  }

  /** Something is to be done or waited for: events of the network are needed. */
  get isBusy(): boolean {
    if (this.#stopped) return false;
    return this.#clock.reading.wanted || this.#deliveries.active !== null || this.#plays.owesProof;
  }

  #take(nowMs: number, input: SessionInput): void {
    switch (input.kind) {
      case "clock":
        return this.#takeClock(nowMs, input.reading);
      case "seek":
        return this.#takeSeek(nowMs, input.positionMs);
      case "granted":
        return this.#deliveries.granted(input.attempt, input.grant, input.provider);
      case "progressed":
        return void this.#deliveries.progressed(input.attempt, input.verified.verifiedEnd, input.verified.complete);
      case "fetchFailed":
        return this.#takeFetchFailure(nowMs, input);
      case "answered":
        return this.#plays.answered(nowMs, input.cell, input.start);
      case "askFailed":
        return this.#takeAskFailure(nowMs, input);
      case "folded":
        return this.#plays.folded(input.cell, input.folded, this.#emit);
      case "mined":
        return this.#plays.mined(input.cell, input.nonce);
      case "proofSent":
        return this.#plays.proofSent(input.cell);
      case "proofFailed":
        return this.#plays.proofFailed(nowMs, input.cell, input.code, input.transient, this.#emit);
      case "settled":
        return this.#plays.settled(input.play, input.settlement);
      case "shown":
        this.#shown = input.shown;
        return;
      case "tick":
        return;
    }
  }

  #takeClock(nowMs: number, reading: ClockReading): void {
    this.#clock.set(nowMs, reading);
    if (reading.wanted) this.#started = true;
    const cell = cellAt(this.#manifest, reading.positionMs);
    if (cell === this.#current + 1) {
      this.#plays.finish(this.#current, this.#emit);
      this.#current = cell;
      this.#plays.enter(cell, 0);
    } else if (cell !== this.#current) {
      this.#takeSeek(nowMs, reading.positionMs);
    }
    if (reading.ended) this.#plays.finish(this.#current, this.#emit);
  }

  #takeSeek(nowMs: number, positionMs: number): void {
    const cell = cellAt(this.#manifest, positionMs);
    const offsetMs = positionMs - (this.#manifest.cells[cell]?.startMs ?? 0);
    const fromMs = this.#clock.positionMs(nowMs);
    if (cell !== this.#current) {
      this.#plays.jump(cell);
      this.#current = cell;
      this.#plays.enter(cell, offsetMs);
    } else if (positionMs > fromMs + this.#plays.slackMs) {
      this.#plays.skip(cell);
    } else if (offsetMs <= this.#plays.slackMs) {
      this.#plays.enter(cell, offsetMs);
    }
    this.#clock.set(nowMs, { ...this.#clock.reading, positionMs, moving: false, ended: false });
    this.#jumpedAtMs = nowMs;
  }

  #takeFetchFailure(nowMs: number, input: SessionInput & { kind: "fetchFailed" }): void {
    if (FATAL.has(input.failure.code)) return this.#stop(input.failure.code, input.message);
    this.#deliveries.failed(nowMs, input.attempt, input.failure);
  }

  #takeAskFailure(nowMs: number, input: SessionInput & { kind: "askFailed" }): void {
    if (FATAL.has(input.code)) return this.#stop(input.code, input.message);
    const tries = this.#plays.askFailed(nowMs, input.cell, input.code, input.retryMs);
    // At first the validator may not have heard of the grant yet. Later it has forgotten it (a long pause), and only a
    // fresh delivery gives another one.
    const forgotten = input.code === "unknown-grant" && tries % UNKNOWN_GRANT_TRIES === 0;
    if (forgotten && this.#deliveries.active !== input.cell) this.#drop(input.cell);
  }

  #decide(nowMs: number): void {
    const wanted = this.#wanted(nowMs);
    this.#deliveries.decide(nowMs, wanted, this.#emit);
    const settled = this.#jumpedAtMs !== null && !this.isAway && nowMs >= this.#jumpedAtMs + SETTLE_MS;
    const preview = this.#started && settled;
    this.#plays.decide(nowMs, this.#clock, this.#current, preview, (cell) => this.#deliveries.grant(cell), this.#emit);
    if (settled && this.#plays.keyed(this.#current)) this.#jumpedAtMs = null;
    this.#forget();
    for (const cell of new Set([...this.#told.keys(), ...wanted])) this.#tell(cell);
  }

  /** The current cell, and those that will be on screen soon. */
  #wanted(nowMs: number): number[] {
    if (!this.#started) return [];
    if (this.isAway) return this.#deliveries.active === null ? [] : [this.#deliveries.active];
    const wanted = [this.#current];
    const untilMs = this.#clock.positionMs(nowMs) + AHEAD_MS;
    for (let cell = this.#current + 1; cell <= this.#current + AHEAD_CELLS; cell += 1) {
      const entry = this.#manifest.cells[cell];
      if (entry && entry.startMs < untilMs) wanted.push(cell);
    }
    return wanted;
  }

  /** Drops the cells that are farthest from the picture while too much is held. */
  #forget(): void {
    const held = this.#deliveries.held();
    let bytes = held.reduce((sum, parcel) => sum + parcel.bytes, 0);
    const distance = (cell: number) => (cell < this.#current ? this.#current - cell : (cell - this.#current) / 2);
    for (const parcel of held.sort((a, b) => distance(b.cell) - distance(a.cell))) {
      if (bytes <= HELD_BYTES_MAX || distance(parcel.cell) <= 1) return;
      if (this.#plays.busy(parcel.cell) || this.#deliveries.active === parcel.cell) continue;
      this.#drop(parcel.cell);
      bytes -= parcel.bytes;
    }
  }

  #drop(cell: number): void {
    this.#deliveries.drop(cell);
    this.#plays.drop(cell);
    this.#emit({ kind: "drop", cell });
  }

  #tell(index: number): void {
    const readable = this.#plays.keyed(index) ? this.#deliveries.whole(index) : 0;
    const state: CellState = { index, delivery: this.#deliveries.state(index), play: this.#plays.state(index), readable };
    const told = this.#told.get(index);
    if (told && isSame(told, state)) return;
    this.#told.set(index, state);
    this.#emit({ kind: "cell", state });
  }

  #stop(code: string, message: string): void {
    this.#stopped = true;
    this.#emit({ kind: "stop", code, message });
  }

  readonly #emit = (effect: SessionEffect): void => {
    this.#effects.push(effect);
  };
}

/** Cheap, because it is asked of every cell at every step: a play's state is another object when it is another. */
function isSame(a: CellState, b: CellState): boolean {
  return a.play === b.play && a.readable === b.readable && isSameDelivery(a.delivery, b.delivery);
}

function isSameDelivery(a: DeliveryState, b: DeliveryState): boolean {
  if (a.kind === "arriving" && b.kind === "arriving") return a.provider === b.provider;
  if (a.kind === "waiting" && b.kind === "waiting") return a.code === b.code;
  return a.kind === b.kind;
}
