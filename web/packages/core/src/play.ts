// One play as its viewer sees it: from the PlayCode to its coins.
//
// ```text
//  none ─ask─▶ asking ─▶ running ─watched to the end─▶ proving ─proof sent─▶ proved ─vote─▶ pending ─award─▶ mined
//                │          └─ skipped, paused too long ─┐        │            │              └ audited ┘
//                └─ unpaid by the validator ─────────────┴────────┴─ refused ──┴─ outvoted ────────┴─ voided ▶ unpaid
// ```
//
// What comes after the proof is decided in `settling.ts`.
//
// Times are the worker's monotonic clock in milliseconds. Validators count by their own clocks from when they issued or
// heard of the PlayCode; the answer reaches the viewer later than that, so its end is never earlier than the issuer's.

import { VIEWER_REASONS, type PlayState, type UnpaidReason } from "./cell-state";
import type { PlayCode, PlayId } from "./nouns";

/** Room for validators that heard of the PlayCode later than the viewer: a proof that comes too early is lost. */
export const PROOF_DELAY_MS = 150;

/** Reasons that no longer hold when the cell is watched again from its start. */
const PASSING: ReadonlySet<UnpaidReason> = new Set([
  VIEWER_REASONS.skipped,
  VIEWER_REASONS.paused,
  "overlapping",
  "already-issued",
  "superseded",
]);

export class Play {
  /** The validator's name for it; kept after the play was given up, so that the next one can supersede it. */
  readonly id: PlayId;
  readonly cell: number;
  readonly playMs: number;
  readonly points: number;
  readonly endsAtMs: number;
  readonly lateAtMs: number;
  folded = 0;
  nonce: number | null = null;
  #watched = false;

  constructor(code: PlayCode, answeredAtMs: number, points: number, latePermille: number) {
    const startsAtMs = answeredAtMs + Math.max(0, code.startsMs - code.issuedMs);
    this.id = code.id;
    this.cell = code.cellIndex;
    this.playMs = code.playMs;
    this.points = points;
    this.endsAtMs = startsAtMs + code.playMs;
    this.lateAtMs = startsAtMs + (code.playMs * latePermille) / 1000;
  }

  /** The media reached the end of the cell. */
  watched(): void {
    this.#watched = true;
  }

  get isWatched(): boolean {
    return this.#watched;
  }

  /** Whether a play point lies before `positionMs` (inside the cell) that is not folded yet. */
  isPointDue(positionMs: number): boolean {
    return this.folded < this.points && positionMs >= (this.playMs * (2 * this.folded + 1)) / (2 * this.points);
  }

  /** When the proof may be sent; `undefined` while something is missing. */
  get provableAtMs(): number | undefined {
    return this.#watched && this.nonce !== null ? this.endsAtMs + PROOF_DELAY_MS : undefined;
  }

  state(): PlayState {
    if (this.#watched) return { kind: "proving", play: this.id };
    return { kind: "running", play: this.id, folded: this.folded, points: this.points };
  }
}

/** Whether a play that ended so may be asked for again when its cell is watched from the start. */
export function canAskAgain(state: PlayState): boolean {
  return state.kind === "unpaid" && PASSING.has(state.reason);
}
