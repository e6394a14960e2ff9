// Fills one source buffer: whole fragments in order, one at a time, making room when the browser has none left.
//
// ```text
//   wake ─▶ pick ─▶ read (worker) ─▶ append ─▶ pick …        until nothing is needed, or nothing more can be read
//                                      └ quota ─▶ evict what was watched, append again
// ```

import type { Manifest } from "@chainflix/core/nouns";
import { isFilled, pickFragment, placesOf, type FragmentPlace, type Need } from "./pick";
import { readRanges } from "./ranges";

/** Filled ahead of the picture, and kept behind it for jumping back. */
const AHEAD_MS = 60_000;
const BEHIND_MS = 30_000;
/** Kept even when the browser has no room: jumping back a little is common. */
const BEHIND_MS_LEAST = 5_000;
const APPENDS_MAX = 3;
const NO_ROOM_WAIT_MS = 1_000;

export interface FeedSource {
  positionMs(): number;
  readable(cell: number): number;
  read(cell: number, fragment: number): Promise<ArrayBuffer | null>;
  /** The feed has nothing more to do for now. */
  idle(): void;
  failed(error: unknown): void;
}

export class TrackFeed {
  readonly #buffer: SourceBuffer;
  readonly #places: readonly FragmentPlace[];
  readonly #source: FeedSource;
  readonly #appends = new Map<FragmentPlace, number>();
  #busy = false;
  #closed = false;

  constructor(buffer: SourceBuffer, manifest: Manifest, track: number, source: FeedSource) {
    this.#buffer = buffer;
    this.#places = placesOf(manifest, track);
    this.#source = source;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** Whether all is buffered from the picture to the end. */
  get isFilled(): boolean {
    return isFilled(this.#places, this.#need());
  }

  /** Appends the initialisation segment. */
  async begin(init: ArrayBuffer): Promise<void> {
    this.#busy = true;
    await this.#append(init);
    this.#busy = false;
  }

  /** Something changed: more can be read, or the picture moved. */
  wake(): void {
    if (this.#busy || this.#closed) return;
    this.#busy = true;
    this.#fill()
      .catch((error: unknown) => this.#closed || this.#source.failed(error))
      .finally(() => {
        this.#busy = false;
        if (!this.#closed) this.#source.idle();
      });
  }

  /** After a jump every fragment deserves another try. */
  forgive(): void {
    this.#appends.clear();
  }

  close(): void {
    this.#closed = true;
  }

  async #fill(): Promise<void> {
    for (;;) {
      await this.#evict(BEHIND_MS);
      const place = this.#closed ? undefined : pickFragment(this.#places, this.#need());
      if (!place) return;
      const bytes = await this.#source.read(place.cell, place.fragment);
      if (!bytes || this.#closed) return;
      this.#appends.set(place, (this.#appends.get(place) ?? 0) + 1);
      await this.#append(bytes);
    }
  }

  async #append(bytes: ArrayBuffer): Promise<void> {
    while (!this.#closed) {
      try {
        return await this.#update(() => this.#buffer.appendBuffer(bytes));
      } catch (error) {
        if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
        const made = await this.#evict(BEHIND_MS_LEAST);
        if (!made) await new Promise((resolve) => setTimeout(resolve, NO_ROOM_WAIT_MS));
      }
    }
  }

  /** Removes what lies more than `behindMs` behind the picture; answers whether there was any. */
  async #evict(behindMs: number): Promise<boolean> {
    const first = this.#buffer.buffered.length > 0 ? this.#buffer.buffered.start(0) * 1_000 : Infinity;
    const untilMs = this.#source.positionMs() - behindMs;
    // Every removal interrupts appending: it should be worth it.
    const worthMs = behindMs === BEHIND_MS ? BEHIND_MS : 0;
    if (first + worthMs >= untilMs || this.#closed) return false;
    await this.#update(() => this.#buffer.remove(0, untilMs / 1_000));
    for (const place of this.#appends.keys()) if (place.startMs < untilMs) this.#appends.delete(place);
    return true;
  }

  /** Runs one operation of the source buffer to its end. */
  #update(operation: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => () => {
        controller.abort();
        settle();
      };
      const controller = new AbortController();
      const { signal } = controller;
      this.#buffer.addEventListener("updateend", done(resolve), { signal });
      this.#buffer.addEventListener("error", done(() => reject(new Error("the browser cannot decode this fragment"))), { signal });
      try {
        operation();
      } catch (error) {
        done(() => reject(error))();
      }
    });
  }

  #need(): Need {
    return {
      positionMs: this.#source.positionMs(),
      aheadMs: AHEAD_MS,
      buffered: this.#closed ? [] : readRanges(this.#buffer.buffered),
      readable: (cell) => this.#source.readable(cell),
      givenUp: (place) => (this.#appends.get(place) ?? 0) >= APPENDS_MAX,
    };
  }
}
