// Decides when to ask for the next PlayCode, when to fold, when to prove, and which play to give up.
//
// ```text
//  media      |—— cell 0 ——————————————|—— cell 1 ———————————————
//  wall clock |—— play 0 ——————————————|—— play 1 ———————————————
//                                  ask ┘└ proof 0 (150 ms later)
//                          overlap ◀──▶
// ```
//
// A PlayCode is asked for when the media *and* the running minute are at most `overlapMs` from their ends. Should the
// media be about to run dry before the minute allows (played faster than real time), the key is asked for all the same
// and that minute goes unpaid: watching comes before mining. A minute that was not entered at its start, or in which the
// viewer skipped forward, is never proved; the next request gives it up (`supersedes`). One request is out at a time.

import { GATEWAY_BACKOFF, waitMs } from "./backoff";
import { VIEWER_REASONS, type PlayState, type UnpaidReason } from "./cell-state";
import type { MediaClock } from "./clock";
import type { CellEntry, GrantId, Manifest, PlayId, ProtocolParams } from "./nouns";
import { canAskAgain, Play } from "./play";
import type { PlayStart } from "./protocol";

export type PlayEffect =
  | { readonly kind: "ask"; readonly cell: number; readonly grant: GrantId; readonly supersedes: PlayId | null }
  | { readonly kind: "advance"; readonly cell: number; readonly positionMs: number }
  | { readonly kind: "mine"; readonly cell: number }
  | { readonly kind: "prove"; readonly cell: number; readonly play: PlayId; readonly nonce: number }
  /** Prove our receipts of the cell: the provider signed for something else. */
  | { readonly kind: "dispute"; readonly cell: number };

/** Refusals of a proof that may pass: a receipt may still come, and one that differs may be proved. */
const RECEIPTS_OPEN: ReadonlySet<string> = new Set(["receipts-missing", "receipts-differ"]);
const RECEIPT_PROOFS_MAX = 4;
const RECEIPT_PAUSE_MS = 750;

interface Seat {
  state: PlayState;
  /** The core has the CellKey. */
  keyed: boolean;
  /** Entered at its start and not skipped in since. */
  whole: boolean;
  play: Play | null;
  mining: boolean;
  proving: boolean;
  tries: number;
  retryAtMs: number;
}

/** What a validator says of a proved play. */
export interface PlaySettlement {
  readonly status: string;
  readonly viewBlock?: number | null;
  readonly code?: string;
}

/** States of a play that was proved: what follows is the validators' doing. */
type Settled = Extract<PlayState, { kind: "proved" | "pending" | "audited" | "mined" }>;

function isSettled(state: PlayState): state is Settled {
  return state.kind === "proved" || state.kind === "pending" || state.kind === "audited" || state.kind === "mined";
}

export class Plays {
  readonly #manifest: Manifest;
  readonly #params: ProtocolParams;
  readonly #random: () => number;
  readonly #seats = new Map<number, Seat>();
  /** A play that the validators still hold for running and that will not be proved. */
  #givenUp: PlayId | null;
  /** The newest play whose minute may still be running. */
  #running: Play | null = null;
  #asking: number | null = null;

  constructor(manifest: Manifest, params: ProtocolParams, random: () => number, givenUp: PlayId | null) {
    this.#manifest = manifest;
    this.#params = params;
    this.#random = random;
    this.#givenUp = givenUp;
  }

  state = (cell: number): PlayState => this.#seat(cell).state;
  keyed = (cell: number): boolean => this.#seat(cell).keyed;
  /** Whether something is still to be done with the cell's bytes. */
  busy = (cell: number): boolean => this.#seat(cell).play !== null || this.#asking === cell;

  /** The play that a page which reloads now leaves behind. */
  get unfinished(): PlayId | null {
    return this.#running && this.#seat(this.#running.cell).play ? this.#running.id : this.#givenUp;
  }

  /** How far into a cell one may come in and still have watched it; also the margin for requests. */
  get slackMs(): number {
    return Math.min(1_500, this.#params.overlapMs / 4);
  }

  /** The media came to `cell`, `offsetMs` after its start. */
  enter(cell: number, offsetMs: number): void {
    const seat = this.#seat(cell);
    seat.whole = offsetMs <= this.slackMs;
    if (seat.whole && canAskAgain(seat.state)) seat.state = { kind: "none" };
    if (!seat.whole && seat.play) this.#giveUp(seat, VIEWER_REASONS.skipped);
  }

  /** The viewer jumped forward inside a cell. */
  skip(cell: number): void {
    const seat = this.#seat(cell);
    seat.whole = false;
    if (seat.play && !seat.play.isWatched) this.#giveUp(seat, VIEWER_REASONS.skipped);
  }

  /** The viewer jumped to `cell`: what is neither there nor watched to its end is given up, the newest play last. */
  jump(cell: number): void {
    const left = [...this.#seats.values()].filter((seat) => seat.play && !seat.play.isWatched && seat.play.cell !== cell);
    left.sort((a, b) => (a.play?.endsAtMs ?? 0) - (b.play?.endsAtMs ?? 0));
    for (const seat of left) this.#giveUp(seat, VIEWER_REASONS.skipped);
  }

  /** The media came to the end of the cell by playing it. */
  finish(cell: number, emit: (effect: PlayEffect) => void): void {
    const { play } = this.#seat(cell);
    if (!play || play.isWatched) return;
    if (play.folded < play.points) emit({ kind: "advance", cell, positionMs: play.playMs });
    play.watched();
    this.#seat(cell).state = play.state();
  }

  /** The core no longer holds the cell. */
  drop(cell: number): void {
    this.#seat(cell).keyed = false;
  }

  answered(nowMs: number, cell: number, start: PlayStart): void {
    const seat = this.#seat(cell);
    if (this.#asking === cell) this.#asking = null;
    seat.keyed = true;
    seat.tries = 0;
    this.#givenUp = null;
    if (!start.mining) {
      const mined = start.unpaid === "already-mined";
      if (!isSettled(seat.state)) seat.state = mined ? { kind: "mined", viewBlock: null } : { kind: "unpaid", reason: start.unpaid };
      return;
    }
    seat.play = new Play(start.code, nowMs, this.#params.playPoints, this.#params.latePermille);
    seat.state = seat.play.state();
    this.#running = seat.play;
    if (!seat.whole) this.#giveUp(seat, VIEWER_REASONS.skipped);
  }

  /** Answers how often in a row it failed. */
  askFailed(nowMs: number, cell: number, code: string, retryMs: number | undefined): number {
    const seat = this.#seat(cell);
    this.#asking = null;
    seat.tries += 1;
    seat.retryAtMs = nowMs + waitMs(GATEWAY_BACKOFF, seat.tries, this.#random(), retryMs);
    if (seat.state.kind === "asking") seat.state = { kind: "waiting", code };
    return seat.tries;
  }

  /** Points were folded. */
  folded(cell: number, folded: number, emit: (effect: PlayEffect) => void): void {
    const seat = this.#seat(cell);
    if (!seat.play) return;
    seat.play.folded = folded;
    seat.state = seat.play.state();
    if (folded < seat.play.points || seat.mining) return;
    seat.mining = true;
    emit({ kind: "mine", cell });
  }

  mined(cell: number, nonce: number): void {
    const { play } = this.#seat(cell);
    if (play) play.nonce = nonce;
  }

  proofSent(cell: number): void {
    const seat = this.#seat(cell);
    if (!seat.play) return;
    seat.state = { kind: "proved", play: seat.play.id };
    seat.play = null;
  }

  proofFailed(nowMs: number, cell: number, code: string, transient: boolean, emit: (effect: PlayEffect) => void): void {
    const seat = this.#seat(cell);
    if (!seat.play) return;
    // The answer to an earlier try was lost: the proof is there.
    if (code === "replay") return this.proofSent(cell);
    seat.tries += 1;
    const isOpen = RECEIPTS_OPEN.has(code) && seat.tries < RECEIPT_PROOFS_MAX;
    if (!transient && !isOpen) return this.#unpaid(seat, code);
    seat.proving = false;
    seat.retryAtMs = nowMs + (isOpen ? RECEIPT_PAUSE_MS : waitMs(GATEWAY_BACKOFF, seat.tries, this.#random()));
    if (code === "receipts-differ") emit({ kind: "dispute", cell });
  }

  /** The validators came further with a proved play. */
  settled(play: PlayId, { status, viewBlock = null, code = "outvoted" }: PlaySettlement): void {
    for (const seat of this.#seats.values()) {
      if (!isSettled(seat.state) || seat.state.kind === "mined" || seat.state.play !== play) continue;
      if (status === "pending") seat.state = { kind: "pending", play, viewBlock };
      else if (status === "auditing") seat.state = { kind: "audited", play, viewBlock };
      else if (status === "accepted") seat.state = { kind: "mined", viewBlock };
      else if (status === "refused") seat.state = { kind: "unpaid", reason: code };
    }
  }

  /**
   * @param preview a place that the viewer jumped to is to be shown.
   * @param grant the newest grant of a cell, if it has one.
   */
  decide(nowMs: number, clock: MediaClock, current: number, preview: boolean, grant: (cell: number) => GrantId | null, emit: (effect: PlayEffect) => void): void {
    for (const [cell, seat] of this.#seats) this.#tend(nowMs, cell, seat, emit);
    this.#point(nowMs, clock, current, emit);
    const cell = this.#toAsk(nowMs, clock, current, preview);
    const granted = cell === undefined ? null : grant(cell);
    if (cell === undefined || granted === null) return;
    const seat = this.#seat(cell);
    this.#asking = cell;
    if (seat.state.kind === "none" || seat.state.kind === "waiting") seat.state = { kind: "asking" };
    emit({ kind: "ask", cell, grant: granted, supersedes: this.#givenUp });
  }

  /** Whether a minute was watched to its end and its proof is still to be sent. */
  get owesProof(): boolean {
    return [...this.#seats.values()].some(({ play }) => play?.isWatched);
  }

  /** When {@link decide} has something new to say though nothing happened. Of a viewer who is away, only proofs count. */
  deadline(nowMs: number, clock: MediaClock, current: number, away: boolean): number | undefined {
    const times: (number | undefined)[] = away ? [] : [this.#askAt(nowMs, clock, current)];
    for (const { play, proving, retryAtMs } of this.#seats.values()) {
      if (away && !play?.isWatched) continue;
      if (retryAtMs > nowMs) times.push(retryAtMs);
      if (!play) continue;
      times.push(play.lateAtMs);
      if (!proving && retryAtMs <= nowMs) times.push(play.provableAtMs);
    }
    return earliest(times);
  }

  /** Proves and gives up what its time has come for. */
  #tend(nowMs: number, cell: number, seat: Seat, emit: (effect: PlayEffect) => void): void {
    const { play } = seat;
    if (!play) return;
    if (nowMs > play.lateAtMs) return this.#giveUp(seat, play.isWatched ? "too-late" : VIEWER_REASONS.paused);
    const provableAtMs = play.provableAtMs;
    if (seat.proving || play.nonce === null || provableAtMs === undefined) return;
    if (nowMs < provableAtMs || nowMs < seat.retryAtMs) return;
    seat.proving = true;
    emit({ kind: "prove", cell, play: play.id, nonce: play.nonce });
  }

  #point(nowMs: number, clock: MediaClock, current: number, emit: (effect: PlayEffect) => void): void {
    const { play } = this.#seat(current);
    if (!play || play.isWatched) return;
    const positionMs = clock.positionMs(nowMs) - this.#cell(current).startMs;
    if (play.isPointDue(positionMs)) emit({ kind: "advance", cell: current, positionMs: Math.min(positionMs, play.playMs) });
  }

  /** The cell whose key is wanted now. */
  #toAsk(nowMs: number, clock: MediaClock, current: number, preview: boolean): number | undefined {
    if (this.#asking !== null) return undefined;
    const wanted = clock.reading.wanted || preview;
    if (wanted && this.#wants(nowMs, current)) return current;
    const next = current + 1;
    if (!clock.reading.wanted || next >= this.#manifest.cells.length || !this.#wants(nowMs, next)) return undefined;
    const leftMs = this.#endMs(current) - clock.positionMs(nowMs);
    if (leftMs > this.#params.overlapMs) return undefined;
    const urgent = leftMs / Math.max(0.1, clock.reading.rate) <= this.slackMs;
    if (nowMs < this.#minuteAllowsAt() && !urgent) return undefined;
    // It will be entered at its start, by playing.
    this.#seat(next).whole = true;
    return next;
  }

  #wants(nowMs: number, cell: number): boolean {
    const seat = this.#seat(cell);
    if (seat.retryAtMs > nowMs) return false;
    return !seat.keyed || (seat.state.kind === "none" && seat.whole);
  }

  /** From when on the validators give a PlayCode for another minute. */
  #minuteAllowsAt(): number {
    const running = this.#running;
    if (!running || this.#seat(running.cell).play !== running) return 0;
    return running.endsAtMs - this.#params.overlapMs + this.slackMs;
  }

  #askAt(nowMs: number, clock: MediaClock, current: number): number | undefined {
    if (this.#asking !== null || current + 1 >= this.#manifest.cells.length || !this.#wants(nowMs, current + 1)) return undefined;
    const near = this.#endMs(current) - this.#params.overlapMs;
    // A picture that stands still before the border waits for the minute alone.
    const mediaAt = clock.reading.wanted && clock.positionMs(nowMs) >= near ? nowMs : clock.whenAt(near);
    const urgentAt = clock.whenAt(this.#endMs(current) - this.slackMs * clock.reading.rate);
    const allowedAt = mediaAt === undefined ? undefined : Math.max(mediaAt, this.#minuteAllowsAt());
    return earliest([allowedAt, urgentAt].filter((at) => at !== undefined && at > nowMs));
  }

  #giveUp(seat: Seat, reason: UnpaidReason): void {
    if (seat.play) this.#givenUp = seat.play.id;
    this.#unpaid(seat, reason);
  }

  #unpaid(seat: Seat, reason: UnpaidReason): void {
    seat.play = null;
    seat.mining = false;
    seat.proving = false;
    seat.state = { kind: "unpaid", reason };
  }

  #endMs(cell: number): number {
    const { startMs, durationMs } = this.#cell(cell);
    return startMs + durationMs;
  }

  #cell(cell: number): CellEntry {
    const entry = this.#manifest.cells[cell];
    if (!entry) throw new RangeError(`the film has no cell ${cell}`);
    return entry;
  }

  #seat(cell: number): Seat {
    let seat = this.#seats.get(cell);
    if (!seat) {
      seat = {
        state: { kind: "none" },
        keyed: false,
        whole: false,
        play: null,
        mining: false,
        proving: false,
        tries: 0,
        retryAtMs: 0,
      };
      this.#seats.set(cell, seat);
    }
    return seat;
  }
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
