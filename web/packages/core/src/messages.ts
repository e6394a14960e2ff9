// What page and worker say to each other: commands down, reports up.
//
// Every message about a film carries the number of the opening it belongs to, so that a report that was under way when
// the viewer went to another film is recognised as late.

import type { CellState } from "./cell-state";
import type { ClockReading } from "./clock";
import type { AwardEvent, HeadEvent, ViewBlockEvent } from "./events";
import type { PlayStatus } from "./gateway";
import type { AccountAddress, Magnet, Manifest, NetworkGenesis, NodeId, PlayId } from "./nouns";

export type Command =
  /** Whose plays they are; the bytes are wiped by the worker. */
  | { readonly kind: "account"; readonly secret: Uint8Array<ArrayBuffer> }
  /** The page is shown, or hidden behind another one. */
  | { readonly kind: "shown"; readonly shown: boolean }
  /** @see FilmSession `givenUp` is a play that an earlier page left behind. */
  | { readonly kind: "open"; readonly opening: number; readonly magnet: Magnet; readonly givenUp: PlayId | null }
  | { readonly kind: "close"; readonly opening: number }
  | { readonly kind: "clock"; readonly opening: number; readonly reading: ClockReading }
  | { readonly kind: "seek"; readonly opening: number; readonly positionMs: number }
  | { readonly kind: "read"; readonly opening: number; readonly cell: number; readonly fragment: number };

/** Who delivers right now. */
export interface SourceInfo {
  readonly cell: number;
  readonly provider: AccountAddress;
  readonly node: NodeId;
  readonly bytesPerSecond: number;
}

export type Report =
  | { readonly kind: "network"; readonly genesis: NetworkGenesis; readonly viewBlocks: number }
  | { readonly kind: "account"; readonly account: AccountAddress }
  | { readonly kind: "head"; readonly head: HeadEvent }
  | { readonly kind: "viewBlock"; readonly viewBlock: ViewBlockEvent }
  | { readonly kind: "award"; readonly award: AwardEvent }
  /** The validators came further with a proved play. */
  | { readonly kind: "settled"; readonly play: PlayId; readonly status: PlayStatus }
  | { readonly kind: "connected"; readonly connected: boolean }
  | { readonly kind: "film"; readonly opening: number; readonly manifest: Manifest }
  | { readonly kind: "cell"; readonly opening: number; readonly state: CellState }
  | { readonly kind: "source"; readonly opening: number; readonly source: SourceInfo }
  /** `bytes` is `null` when the fragment cannot be read after all. */
  | { readonly kind: "fragment"; readonly opening: number; readonly cell: number; readonly fragment: number; readonly bytes: ArrayBuffer | null }
  /** The play to give up should the page be left now. */
  | { readonly kind: "unfinished"; readonly opening: number; readonly play: PlayId | null }
  /** The film stops, for good. */
  | { readonly kind: "stopped"; readonly opening: number; readonly code: string; readonly message: string }
  /** The worker itself cannot work. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
