// Decides which cell is fetched next and from whom not: one delivery at a time, the cell on screen first.
//
// ```text
//  wanted cells ─▶ decide ─▶ fetch(cell, excluded) ─┬─▶ progressed … ─▶ complete
//                                                   └─▶ failed ─▶ shun or block the provider, fetch again from the
//                                                                 next missing byte (the core knows which that is)
// ```
//
// No clock, no network: time is an argument, and what is to be done comes out as effects. A provider that lied is blocked
// for the film; one that stalled is shunned for a while, and forgiven at once when nobody else is left.

import type { DeliveryState } from "./cell-state";
import { GATEWAY_BACKOFF, waitMs } from "./backoff";
import type { GrantId, Manifest, NodeId } from "./nouns";

/** As in `message.rs`. */
export const EXCLUDED_MAX = 16;
const SHUN_MS = 60_000;
/** Other providers are tried at once this often before there is a wait. */
const PROMPT_TRIES = 2;

export type FetchEffect =
  | { readonly kind: "fetch"; readonly cell: number; readonly attempt: number; readonly excluded: readonly NodeId[] }
  | { readonly kind: "abort"; readonly attempt: number };

/** What went wrong with one attempt, and whose fault it is. */
export interface FetchFailure {
  readonly code: string;
  readonly fault: "liar" | "absent" | "gateway";
  readonly retryMs?: number | undefined;
}

interface Parcel {
  verifiedEnd: number;
  complete: boolean;
  grant: GrantId | null;
  provider: NodeId | null;
  tries: number;
  retryAtMs: number;
  waitingCode: string | null;
}

export class Deliveries {
  readonly #manifest: Manifest;
  readonly #random: () => number;
  readonly #parcels = new Map<number, Parcel>();
  readonly #blocked = new Set<NodeId>();
  readonly #shunnedUntilMs = new Map<NodeId, number>();
  #attempt = 0;
  #active: number | null = null;

  constructor(manifest: Manifest, random: () => number) {
    this.#manifest = manifest;
    this.#random = random;
  }

  /** Starts, stops or leaves alone, given the cells that are wanted, the most urgent first. */
  decide(nowMs: number, wanted: readonly number[], emit: (effect: FetchEffect) => void): void {
    const next = wanted.find((cell) => !this.#parcel(cell).complete);
    if (this.#active !== null && this.#active !== next) {
      emit({ kind: "abort", attempt: this.#attempt });
      this.#active = null;
    }
    if (next === undefined || this.#active !== null || this.#parcel(next).retryAtMs > nowMs) return;
    this.#active = next;
    this.#attempt += 1;
    const parcel = this.#parcel(next);
    parcel.provider = null;
    emit({ kind: "fetch", cell: next, attempt: this.#attempt, excluded: this.#excluded(nowMs) });
  }

  granted(attempt: number, grant: GrantId, provider: NodeId): void {
    const parcel = this.#running(attempt);
    if (!parcel) return;
    Object.assign(parcel, { grant, provider, waitingCode: null });
  }

  /** Answers whether this is news. */
  progressed(attempt: number, verifiedEnd: number, complete: boolean): boolean {
    const parcel = this.#running(attempt);
    if (!parcel || (verifiedEnd <= parcel.verifiedEnd && !complete)) return false;
    Object.assign(parcel, { verifiedEnd, complete, tries: 0, waitingCode: null });
    if (complete) this.#active = null;
    return true;
  }

  failed(nowMs: number, attempt: number, failure: FetchFailure): void {
    const parcel = this.#running(attempt);
    if (!parcel) return;
    this.#active = null;
    if (parcel.provider && failure.fault === "liar") this.#blocked.add(parcel.provider);
    if (parcel.provider && failure.fault === "absent") this.#shunnedUntilMs.set(parcel.provider, nowMs + SHUN_MS);
    if (failure.code === "no-source") this.#shunnedUntilMs.clear();
    parcel.tries += 1;
    const prompt = failure.fault !== "gateway" && parcel.tries <= PROMPT_TRIES;
    parcel.retryAtMs = prompt ? nowMs : nowMs + waitMs(GATEWAY_BACKOFF, parcel.tries, this.#random(), failure.retryMs);
    parcel.waitingCode = prompt ? null : failure.code;
  }

  /** Forgets what is here of a cell. */
  drop(cell: number): void {
    if (this.#active !== cell) this.#parcels.delete(cell);
  }

  /** When {@link decide} has something new to say though nothing happened. */
  deadline(wanted: readonly number[]): number | undefined {
    if (this.#active !== null) return undefined;
    const next = wanted.find((cell) => !this.#parcel(cell).complete);
    return next === undefined ? undefined : this.#parcel(next).retryAtMs;
  }

  /** The cell under delivery. */
  get active(): number | null {
    return this.#active;
  }

  /** The newest grant of a cell. */
  grant(cell: number): GrantId | null {
    return this.#parcels.get(cell)?.grant ?? null;
  }

  /** Cells of which something is here, with its bytes. */
  held(): { cell: number; bytes: number }[] {
    return [...this.#parcels].filter(([, { verifiedEnd }]) => verifiedEnd > 0).map(([cell, { verifiedEnd }]) => ({ cell, bytes: verifiedEnd }));
  }

  /** Fragments that are verified to their last byte, counted from the first. */
  whole(cell: number): number {
    const verifiedEnd = this.#parcels.get(cell)?.verifiedEnd ?? 0;
    const fragments = this.#manifest.cells[cell]?.fragments ?? [];
    let end = 0;
    const short = fragments.findIndex(({ size }) => (end += size) > verifiedEnd);
    return short === -1 ? fragments.length : short;
  }

  state(cell: number): DeliveryState {
    const parcel = this.#parcels.get(cell);
    if (!parcel) return { kind: "none" };
    if (parcel.complete) return { kind: "complete" };
    if (this.#active === cell) return { kind: "arriving", provider: parcel.provider };
    return parcel.waitingCode ? { kind: "waiting", code: parcel.waitingCode } : { kind: "none" };
  }

  #running(attempt: number): Parcel | undefined {
    return attempt === this.#attempt && this.#active !== null ? this.#parcel(this.#active) : undefined;
  }

  #excluded(nowMs: number): NodeId[] {
    for (const [node, untilMs] of this.#shunnedUntilMs) if (untilMs <= nowMs) this.#shunnedUntilMs.delete(node);
    return [...new Set([...this.#shunnedUntilMs.keys(), ...this.#blocked])].slice(-EXCLUDED_MAX);
  }

  #parcel(cell: number): Parcel {
    let parcel = this.#parcels.get(cell);
    if (!parcel) {
      parcel = { verifiedEnd: 0, complete: false, grant: null, provider: null, tries: 0, retryAtMs: 0, waitingCode: null };
      this.#parcels.set(cell, parcel);
    }
    return parcel;
  }
}
