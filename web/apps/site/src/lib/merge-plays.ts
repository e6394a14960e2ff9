// Joins a fresh first page of a list of plays to the older pages that are shown already.

import type { AccountPlay } from "@chainflix/core/gateway";

/** What one entry is told from another by: a wish that was refused has no play. */
export function keyOf({ play, timeMs, cellIndex }: AccountPlay): string {
  return play ?? `${timeMs}/${cellIndex}`;
}

/** What of `more` is not in `known`. */
export function newOf(known: readonly AccountPlay[], more: readonly AccountPlay[]): readonly AccountPlay[] {
  const keys = new Set(known.map(keyOf));
  return more.filter((play) => !keys.has(keyOf(play)));
}

/** The newest page before what is known of older ones; `undefined` when the two have nothing in common. */
export function mergePlays(known: readonly AccountPlay[], newest: readonly AccountPlay[]): readonly AccountPlay[] | undefined {
  const older = newOf(newest, known);
  if (known.length > 0 && older.length === known.length) return undefined;
  return [...newest, ...older];
}
