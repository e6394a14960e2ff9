// How one cell stands, as the worker tells the page: how much of it is here, and what its play is worth.

import type { NodeId, PlayId } from "./nouns";

/** Why a play is unpaid: a validator's refusal code, or one of the viewer's own {@link VIEWER_REASONS}. */
export type UnpaidReason = string;

/** What the viewer's own doing costs: part of the minute was not watched, or it was paused past the last moment. */
export const VIEWER_REASONS = { skipped: "skipped", paused: "paused" } as const;

export type DeliveryState =
  | { readonly kind: "none" }
  | { readonly kind: "arriving"; readonly provider: NodeId | null }
  | { readonly kind: "waiting"; readonly code: string }
  | { readonly kind: "complete" };

export type PlayState =
  | { readonly kind: "none" }
  | { readonly kind: "asking" }
  | { readonly kind: "waiting"; readonly code: string }
  | { readonly kind: "running"; readonly play: PlayId; readonly folded: number; readonly points: number }
  /** Watched to its end; the proof is sent when the minute is over. */
  | { readonly kind: "proving"; readonly play: PlayId }
  | { readonly kind: "proved"; readonly play: PlayId }
  /** Voted for; its coins come when the audits of its view block are over. */
  | { readonly kind: "pending"; readonly play: PlayId; readonly viewBlock: number | null }
  /** Drawn for a check: its chunks are being opened. */
  | { readonly kind: "audited"; readonly play: PlayId; readonly viewBlock: number | null }
  | { readonly kind: "mined"; readonly viewBlock: number | null }
  | { readonly kind: "unpaid"; readonly reason: UnpaidReason };

export interface CellState {
  readonly index: number;
  readonly delivery: DeliveryState;
  readonly play: PlayState;
  /** Fragments that can be read, counted from the first. */
  readonly readable: number;
}
