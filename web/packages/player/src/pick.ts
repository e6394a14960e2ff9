// Decides which fragment a track needs next: the first one from the picture on that is neither buffered nor tried.
//
// A fragment counts as buffered when its middle is: its edges may be a few milliseconds off, since tracks are cut at
// their own sample borders.

import type { Manifest } from "@chainflix/core/nouns";
import { covers, type Range } from "./ranges";

export interface FragmentPlace {
  readonly cell: number;
  readonly fragment: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** The fragments of one track, in order, over all cells. */
export function placesOf(manifest: Manifest, track: number): FragmentPlace[] {
  const starts = manifest.cells.flatMap((cell, index) =>
    cell.fragments.flatMap((entry, fragment) => (entry.track === track ? [{ cell: index, fragment, startMs: entry.startMs }] : [])),
  );
  return starts.map((place, index) => ({ ...place, endMs: starts[index + 1]?.startMs ?? manifest.playTimeMs }));
}

export interface Need {
  readonly positionMs: number;
  /** How far ahead of the picture the track is to be filled. */
  readonly aheadMs: number;
  readonly buffered: readonly Range[];
  /** Fragments of a cell that can be read, counted from the first. */
  readable(cell: number): number;
  /** Appended so often without showing up in the buffer that it is given up. */
  givenUp(place: FragmentPlace): boolean;
}

/** The next fragment to append; `undefined` when there is none, or when it cannot be read yet. */
export function pickFragment(places: readonly FragmentPlace[], need: Need): FragmentPlace | undefined {
  const next = places.slice(firstAt(places, need.positionMs)).find((place) => {
    return !covers(need.buffered, (place.startMs + place.endMs) / 2) && !need.givenUp(place);
  });
  if (!next || next.startMs > need.positionMs + need.aheadMs) return undefined;
  // In order: a later fragment would open a gap that the browser cannot play across.
  return next.fragment < need.readable(next.cell) ? next : undefined;
}

/** Whether everything from the picture to the end of the film is buffered or given up. */
export function isFilled(places: readonly FragmentPlace[], need: Need): boolean {
  return places.slice(firstAt(places, need.positionMs)).every((place) => {
    return covers(need.buffered, (place.startMs + place.endMs) / 2) || need.givenUp(place);
  });
}

/** Index of the fragment that holds `positionMs`; the first one for an earlier time. */
function firstAt(places: readonly FragmentPlace[], positionMs: number): number {
  const after = places.findIndex(({ startMs }) => startMs > positionMs);
  return Math.max(0, (after === -1 ? places.length : after) - 1);
}
