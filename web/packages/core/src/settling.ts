// What becomes of proved plays: followed until they are paid or refused, and opened when the audit draws them.
//
// ```text
//  proved ─ view block ─▶ pending ─┬─ not drawn ───────────────────────────────────▶ accepted
//                                  └─ drawn ─▶ auditing ─ opening sent, voted on ─┬▶ accepted
//                                                                                 └▶ refused (voided)
// ```
//
// This outlives the film: a viewer who goes to another page must still answer, or the play is void. So each play brings
// its signed opening along when it is proved, and keeps it until nobody can ask for it any more. Looks at the validators
// are few: after a view block with plays of ours, after the draw (known {@link DRAW_BLOCKS} later), after an award, and
// whenever the events begin again. In between, timers make up for events that were missed.
//
// No clock and no network: times are arguments, and what is to be done comes out as effects.

import { GATEWAY_BACKOFF, waitMs } from "./backoff";
import type { PlayStatus } from "./gateway";
import type { AccountAddress, PlayId, ProtocolParams } from "./nouns";

/** Most plays that are followed at a time; the oldest one is let go for another. A play takes a minute to come. */
export const FOLLOWED_MAX = 32;
/** A play whose end is not known after so long is let go: its audit was answered, or it is forgotten everywhere. */
export const FOLLOW_MS_MAX = 30 * 60_000;
/** Blocks after the one that made a view block until everybody knows which of its plays are audited. */
const DRAW_BLOCKS = 3;
/** An opening that brought no verdict is handed in again after so long, so often: it may have been lost between validators. */
const OPEN_AGAIN_MS = 10_000;
const OPENINGS_MAX = 3;
/** Slots after the proof, and between two looks, when no event says that there is news; doubled while there is none. */
const FIRST_LOOK_SLOTS = 3;
const NEXT_LOOK_SLOTS = 2;
const NEXT_LOOK_SLOTS_MAX = 32;

export interface ProvedPlay {
  readonly play: PlayId;
  readonly account: AccountAddress;
  /** By the network's clock. */
  readonly provedAtMs: number;
}

export type SettlingInput =
  | { readonly kind: "proved"; readonly play: ProvedPlay }
  /** An earlier page left a proved play behind. */
  | { readonly kind: "found"; readonly play: ProvedPlay }
  /** The event stream begins, or begins again: what it would have told before was missed. */
  | { readonly kind: "connected" }
  /** A view block was made; whose plays are in it. */
  | { readonly kind: "viewBlock"; readonly viewers: readonly AccountAddress[] }
  | { readonly kind: "award"; readonly viewBlock: number }
  | { readonly kind: "head"; readonly number: number }
  /** `null`: nobody answered. */
  | { readonly kind: "looked"; readonly play: PlayId; readonly status: PlayStatus | null }
  | { readonly kind: "openingTaken"; readonly play: PlayId }
  | { readonly kind: "openingFailed"; readonly play: PlayId; readonly transient: boolean }
  | { readonly kind: "tick" };

export type SettlingEffect =
  | { readonly kind: "look"; readonly play: PlayId }
  /** Hand the play's opening in. */
  | { readonly kind: "open"; readonly play: PlayId }
  /** Tell page and film how the play stands; only on a change. */
  | { readonly kind: "told"; readonly play: PlayId; readonly status: PlayStatus }
  /** Its opening is of no use any more. */
  | { readonly kind: "forget"; readonly play: PlayId };

interface Followed extends ProvedPlay {
  status: PlayStatus;
  looking: boolean;
  /** There was an event during the look. */
  again: boolean;
  /** Looks in a row without news. */
  idleLooks: number;
  lookAtMs: number;
  /** The block whose coming is worth a look. */
  lookAtBlock: number;
  opening: "kept" | "underway" | "done";
  /** Openings that were taken, and those in a row that were not. */
  opened: number;
  tries: number;
  openAtMs: number;
}

export class Settling {
  readonly #slotMs: number;
  readonly #random: () => number;
  readonly #plays = new Map<PlayId, Followed>();
  readonly #effects: SettlingEffect[] = [];
  #head = 0;

  constructor({ slotMs }: Pick<ProtocolParams, "slotMs">, random: () => number) {
    this.#slotMs = slotMs;
    this.#random = random;
  }

  /** Nothing is followed: no event and no timer is needed. */
  get isIdle(): boolean {
    return this.#plays.size === 0;
  }

  handle(nowMs: number, input: SettlingInput): void {
    this.#take(nowMs, input);
    for (const followed of this.#plays.values()) this.#tend(nowMs, followed);
  }

  poll(): SettlingEffect | undefined {
    return this.#effects.shift();
  }

  /** When to call `handle` with a `tick` though nothing happened. */
  deadline(): number | undefined {
    const times = [...this.#plays.values()].flatMap((followed) => [
      followed.provedAtMs + FOLLOW_MS_MAX,
      ...(followed.looking ? [] : [followed.lookAtMs]),
      ...(mayOpen(followed) ? [followed.openAtMs] : []),
    ]);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #take(nowMs: number, input: SettlingInput): void {
    switch (input.kind) {
      case "proved":
        return this.#follow(input.play, nowMs + FIRST_LOOK_SLOTS * this.#slotMs);
      case "found":
        return this.#follow(input.play, nowMs);
      case "connected":
        return this.#lookNow(nowMs, () => true);
      case "viewBlock": {
        const viewers = new Set(input.viewers.map((viewer) => viewer.toLowerCase()));
        return this.#lookNow(nowMs, ({ status, account }) => status.status !== "pending" && viewers.has(account));
      }
      case "award":
        return this.#lookNow(nowMs, ({ status }) => status.viewBlock === input.viewBlock);
      case "head":
        this.#head = Math.max(this.#head, input.number);
        return this.#lookNow(nowMs, ({ lookAtBlock }) => lookAtBlock <= this.#head);
      case "looked":
        return this.#looked(nowMs, input.play, input.status);
      case "openingTaken":
        return this.#opened(nowMs, input.play);
      case "openingFailed":
        return this.#failed(nowMs, input.play, input.transient);
      case "tick":
        return;
    }
  }

  #follow(play: ProvedPlay, lookAtMs: number): void {
    if (this.#plays.has(play.play)) return;
    const oldest = this.#plays.size >= FOLLOWED_MAX ? this.#plays.values().next().value : undefined;
    if (oldest) this.#forget(oldest.play);
    this.#plays.set(play.play, {
      ...play,
      account: play.account.toLowerCase() as AccountAddress,
      status: { status: "proved" },
      looking: false,
      again: false,
      idleLooks: 0,
      lookAtMs,
      lookAtBlock: Infinity,
      opening: "kept",
      opened: 0,
      tries: 0,
      openAtMs: 0,
    });
  }

  #lookNow(nowMs: number, isMeant: (followed: Followed) => boolean): void {
    for (const followed of this.#plays.values()) {
      if (!isMeant(followed)) continue;
      followed.lookAtMs = nowMs;
      followed.again = followed.looking;
    }
  }

  #looked(nowMs: number, play: PlayId, status: PlayStatus | null): void {
    const followed = this.#plays.get(play);
    if (!followed) return;
    const slots = Math.min(NEXT_LOOK_SLOTS_MAX, NEXT_LOOK_SLOTS * 2 ** followed.idleLooks);
    followed.lookAtMs = followed.again ? nowMs : nowMs + slots * this.#slotMs;
    followed.lookAtBlock = Infinity;
    followed.looking = false;
    followed.again = false;
    followed.idleLooks += 1;
    // A validator that was away may not know yet what another one said.
    if (!status || rank(status) <= rank(followed.status)) return;
    if (status.status === "pending") followed.lookAtBlock = this.#head + DRAW_BLOCKS;
    followed.status = status;
    followed.idleLooks = 0;
    this.#effects.push({ kind: "told", play, status });
    if (status.status === "accepted" || status.status === "refused") this.#forget(play);
  }

  #opened(nowMs: number, play: PlayId): void {
    const followed = this.#plays.get(play);
    if (!followed) return;
    followed.opened += 1;
    followed.tries = 0;
    followed.opening = followed.opened < OPENINGS_MAX ? "kept" : "done";
    followed.openAtMs = nowMs + OPEN_AGAIN_MS;
  }

  #failed(nowMs: number, play: PlayId, transient: boolean): void {
    const followed = this.#plays.get(play);
    if (!followed) return;
    followed.opening = transient ? "kept" : "done";
    followed.tries += 1;
    followed.openAtMs = nowMs + waitMs(GATEWAY_BACKOFF, followed.tries, this.#random());
  }

  /** Does what its time has come for. */
  #tend(nowMs: number, followed: Followed): void {
    const { play } = followed;
    if (nowMs >= followed.provedAtMs + FOLLOW_MS_MAX) return this.#forget(play);
    if (mayOpen(followed) && nowMs >= followed.openAtMs) {
      followed.opening = "underway";
      this.#effects.push({ kind: "open", play });
    }
    if (!followed.looking && nowMs >= followed.lookAtMs) {
      followed.looking = true;
      this.#effects.push({ kind: "look", play });
    }
  }

  #forget(play: PlayId): void {
    if (this.#plays.delete(play)) this.#effects.push({ kind: "forget", play });
  }
}

function mayOpen({ status, opening }: Followed): boolean {
  return status.status === "auditing" && opening === "kept";
}

const RANKS: Record<PlayStatus["status"], number> = { unknown: 0, running: 0, proved: 1, pending: 2, auditing: 3, accepted: 4, refused: 4 };

/** How far a play has come: what is known is not taken back. */
function rank({ status }: PlayStatus): number {
  return RANKS[status];
}
