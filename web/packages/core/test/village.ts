// A film, a viewer and a pretended network on a virtual clock: drives `FilmSession` without a browser.

import type { CellState } from "../src/cell-state";
import type { Manifest, PlayCode, ProtocolParams } from "../src/nouns";
import { FilmSession, type SessionEffect, type SessionInput } from "../src/session";

export const PARAMS: ProtocolParams = { cellMs: 60_000, slotMs: 14_400, blockMs: 2_000, playPoints: 6, latePermille: 1_500, overlapMs: 5_000 };

/** Cells of one minute, each of one fragment per six seconds. */
export function film(cells: number): Manifest {
  const fragments = (index: number) => Array.from({ length: 10 }, (_, at) => ({ track: 0, size: 1_000, startMs: index * 60_000 + at * 6_000 }));
  return {
    title: "film",
    creator: "0x01",
    playTimeMs: cells * 60_000,
    tracks: [{ kind: "video", mediaType: "video/mp4", width: 1, height: 1, init: "0x" }],
    cells: Array.from({ length: cells }, (_, index) => ({ id: "0x02", size: 10_000, startMs: index * 60_000, durationMs: 60_000, fragments: fragments(index) })),
  };
}

type Ask = Extract<SessionEffect, { kind: "ask" }>;

/** Answers as an honest network would, unless a test takes an effect over. */
export class Village {
  nowMs = 1_000;
  positionMs = 0;
  playing = false;
  rate = 1;
  readonly log: SessionEffect[] = [];
  readonly cells = new Map<number, CellState>();
  /** Takes an effect over by answering `true`. */
  override: (effect: SessionEffect) => boolean = () => false;
  readonly session: FilmSession;
  readonly manifest: Manifest;
  #plays = 0;

  constructor(cells = 3, givenUp: `0x${string}` | null = null) {
    this.manifest = film(cells);
    this.session = new FilmSession(this.manifest, PARAMS, { random: () => 0.5, givenUp });
  }

  handle(input: SessionInput): void {
    this.session.handle(this.nowMs, input);
    for (let effect = this.session.poll(); effect; effect = this.session.poll()) {
      this.log.push(effect);
      if (effect.kind === "cell") this.cells.set(effect.state.index, effect.state);
      else if (!this.override(effect)) this.#answer(effect);
    }
  }

  play(): void {
    this.playing = true;
    this.#tell();
  }

  pause(): void {
    this.playing = false;
    this.#tell();
  }

  seek(positionMs: number): void {
    this.positionMs = positionMs;
    this.handle({ kind: "seek", positionMs });
    this.#tell();
  }

  /** Lets time pass in steps of 250 ms or to the next deadline; the picture runs where bytes and key allow. */
  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    while (this.nowMs < untilMs) {
      const deadline = this.session.deadline(this.nowMs) ?? Infinity;
      const stepMs = Math.max(1, Math.min(250, untilMs - this.nowMs, deadline - this.nowMs));
      this.nowMs += stepMs;
      if (this.playing) this.positionMs = Math.min(this.positionMs + stepMs * this.rate, this.#readableMs());
      if (deadline <= this.nowMs) this.handle({ kind: "tick" });
      if (this.playing) this.#tell();
    }
  }

  of<Kind extends SessionEffect["kind"]>(kind: Kind): Extract<SessionEffect, { kind: Kind }>[] {
    return this.log.filter((effect): effect is Extract<SessionEffect, { kind: Kind }> => effect.kind === kind);
  }

  playOf(cell: number): CellState["play"] | undefined {
    return this.cells.get(cell)?.play;
  }

  /** A PlayCode as an honest validator issues it now. */
  code({ cell }: Ask, startsInMs = 0): PlayCode {
    const id = `0x${(++this.#plays).toString(16).padStart(32, "0")}` as const;
    return { id, cellIndex: cell, issuedMs: 9_000_000, startsMs: 9_000_000 + startsInMs, playMs: 60_000 };
  }

  #answer(effect: SessionEffect): void {
    switch (effect.kind) {
      case "fetch":
        this.handle({ kind: "granted", attempt: effect.attempt, grant: "0xaa", provider: `0x0${effect.excluded.length + 1}` });
        return this.handle({ kind: "progressed", attempt: effect.attempt, verified: { verifiedEnd: 10_000, complete: true } });
      case "ask":
        return this.handle({ kind: "answered", cell: effect.cell, start: { mining: true, code: this.code(effect, this.#leftMs) } });
      case "advance": {
        const folded = Math.min(6, Math.floor((effect.positionMs * 12) / 60_000 / 2 + 0.5));
        return this.handle({ kind: "folded", cell: effect.cell, folded });
      }
      case "mine":
        return this.handle({ kind: "mined", cell: effect.cell, nonce: 7 });
      case "prove":
        return this.handle({ kind: "proofSent", cell: effect.cell });
    }
  }

  /** A running minute that ends within the overlap starts the next one at its end. */
  get #leftMs(): number {
    const leftMs = 60_000 - (this.positionMs % 60_000);
    return this.positionMs > 0 && leftMs <= PARAMS.overlapMs ? leftMs : 0;
  }

  #readableMs(): number {
    const cell = Math.min(this.manifest.cells.length - 1, Math.floor(this.positionMs / 60_000));
    const whole = (index: number) => (this.cells.get(index)?.readable ?? 0) === 10;
    if (whole(cell) && whole(cell + 1)) return (cell + 2) * 60_000;
    return cell * 60_000 + (this.cells.get(cell)?.readable ?? 0) * 6_000;
  }

  #tell(): void {
    const ended = this.positionMs >= this.manifest.playTimeMs;
    const wanted = this.playing && !ended;
    const reading = { positionMs: this.positionMs, wanted, moving: wanted && this.positionMs < this.#readableMs(), rate: this.rate, ended };
    this.handle({ kind: "clock", reading });
  }
}
