// Carries out what `Settling` decides: looks at plays, hands openings in, keeps them over a reload.
//
// The store is a second line: what it cannot keep (a private window, a full disk) is kept in memory and ends with the page.

import { type Gateway, GatewayError, type PlayStatus } from "./gateway";
import type { PlayId, ProtocolParams } from "./nouns";
import type { KeptPlay, OpeningStore } from "./opening-store";
import { Settling, type SettlingEffect, type SettlingInput } from "./settling";

/** A proof is held back for the store this long at most: the coins of a minute must not hang on a disk. */
const STORE_MS_MAX = 1_000;

export interface SettlerContext {
  readonly gateway: Pick<Gateway, "play" | "opening">;
  readonly store: OpeningStore;
  readonly params: Pick<ProtocolParams, "slotMs">;
  /** The network's clock, in whole milliseconds since the Unix epoch. */
  nowMs(): number;
  /** A play came further. */
  told(play: PlayId, status: PlayStatus): void;
  /** Something may have begun or ended to be followed. */
  changed(): void;
}

export class Settler {
  readonly #context: SettlerContext;
  readonly #settling: Settling;
  readonly #openings = new Map<PlayId, Uint8Array<ArrayBuffer>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: SettlerContext) {
    this.#context = context;
    this.#settling = new Settling(context.params, Math.random);
  }

  /** Takes up what an earlier page left behind. */
  async resume(): Promise<void> {
    const kept = await this.#context.store.all().catch(() => []);
    for (const play of kept) this.#follow("found", play);
  }

  get isIdle(): boolean {
    return this.#settling.isIdle;
  }

  /** Follows a play from its proof on. Settles as soon as a reload would find it, or when the store does not do it in time. */
  keep(play: KeptPlay): Promise<void> {
    this.#follow("proved", play);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, STORE_MS_MAX);
      const settle = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#context.store.put(play).then(settle, settle);
    });
  }

  handle(input: SettlingInput): void {
    this.#settling.handle(this.#context.nowMs(), input);
    for (let effect = this.#settling.poll(); effect; effect = this.#settling.poll()) this.#perform(effect);
    this.#sleep();
    this.#context.changed();
  }

  #follow(kind: "proved" | "found", play: KeptPlay): void {
    this.#openings.set(play.play, play.opening);
    this.handle({ kind, play });
  }

  #perform(effect: SettlingEffect): void {
    switch (effect.kind) {
      case "look":
        return void this.#look(effect.play);
      case "open":
        return void this.#open(effect.play);
      case "told":
        return this.#context.told(effect.play, effect.status);
      case "forget":
        this.#openings.delete(effect.play);
        return void this.#context.store.delete(effect.play).catch(() => undefined);
    }
  }

  async #look(play: PlayId): Promise<void> {
    const status = await this.#context.gateway.play(play).catch(() => null);
    this.handle({ kind: "looked", play, status });
  }

  async #open(play: PlayId): Promise<void> {
    const opening = this.#openings.get(play);
    if (!opening) return;
    try {
      await this.#context.gateway.opening(opening);
      this.handle({ kind: "openingTaken", play });
    } catch (error) {
      this.handle({ kind: "openingFailed", play, transient: !(error instanceof GatewayError) || error.isTransient });
    }
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    const deadline = this.#settling.deadline();
    if (deadline === undefined) return;
    this.#timer = setTimeout(() => this.handle({ kind: "tick" }), Math.max(10, deadline - this.#context.nowMs()));
  }
}
