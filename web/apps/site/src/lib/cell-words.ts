// How one cell is shown: a kind for its colour, words for people, a reason where there is one.

import type { CellState } from "@chainflix/core/cell-state";
import type { Catalogue } from "../messages/en";

export type CellLook = "none" | "arriving" | "buffered" | "playing" | "proved" | "audited" | "mined" | "unpaid";

export function lookOf(state: CellState | undefined, isCurrent: boolean): CellLook {
  const play = state?.play.kind ?? "none";
  if (play === "mined") return "mined";
  if (play === "audited") return "audited";
  if (play === "proved" || play === "proving" || play === "pending") return "proved";
  if (play === "unpaid") return "unpaid";
  if (isCurrent && (play === "running" || play === "asking")) return "playing";
  if (state?.delivery.kind === "complete") return "buffered";
  return state?.delivery.kind === "arriving" ? "arriving" : "none";
}

export function wordsOf(state: CellState | undefined, m: Catalogue): string {
  const play = state?.play;
  switch (play?.kind) {
    case "mined":
      return m.stateMined(play.viewBlock);
    case "audited":
      return m.stateAudited;
    case "pending":
      return m.statePending(play.viewBlock);
    case "proved":
      return m.stateProved;
    case "proving":
      return m.stateProving;
    case "unpaid":
      return m.stateUnpaid;
    case "running":
      return m.stateRunning(play.folded, play.points);
    case "asking":
      return m.stateAsking;
    case "waiting":
      return m.stateWaiting;
  }
  if (state?.delivery.kind === "complete") return m.stateBuffered;
  if (state?.delivery.kind === "waiting") return m.stateWaiting;
  return state?.delivery.kind === "arriving" ? m.stateArriving : m.stateNone;
}

/** The code of why a cell waits or is unpaid. */
export function reasonOf(state: CellState | undefined): string | undefined {
  if (state?.play.kind === "unpaid") return state.play.reason;
  if (state?.play.kind === "waiting") return state.play.code;
  return state?.delivery.kind === "waiting" ? state.delivery.code : undefined;
}
