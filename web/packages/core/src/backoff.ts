// How long to wait before the next try: doubling, bounded, and spread so that many viewers do not come back at once.

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** For requests to the gateway. */
export const GATEWAY_BACKOFF: Backoff = { firstMs: 250, mostMs: 8_000 };

/**
 * The wait before try number `tries + 1`, when `tries` tries have failed.
 *
 * @param spread in [0, 1): a random number from the caller.
 * @param askedMs what the other side asked for; never waited less than that.
 */
export function waitMs(backoff: Backoff, tries: number, spread: number, askedMs = 0): number {
  const doubled = Math.min(backoff.mostMs, backoff.firstMs * 2 ** Math.max(0, tries - 1));
  return Math.max(askedMs, Math.round(doubled * (0.75 + spread / 2)));
}
