// What the worker asks of the Rust core: one viewer's half of the protocol, film by film and cell by cell.
//
// ```text
// viewerOpen ─▶ filmOpen ─▶ cellOpen ─▶ grantRequest ─▶ deliveryBegin ─▶ deliveryPush … ─▶ deliveryEnd   once per provider
//                                    └▶ playRequest  ─▶ playBegin     ─▶ advance … ─▶ mine … ─▶ prove ─▶ opening   once per play
//                                                                     └▶ read
// ```
//
// Implemented by `wasm.ts` over `crates/browser`. Every call is short, and throws a `CoreError` when it is refused. Those
// that decrypt are asynchronous, since the browser's own AES is. The core keeps keys and bytes; it has no clock and no
// socket, so times and answers are arguments.

import type { BlockHead, Grant, Magnet, Manifest, NetworkGenesis, PlayAnswer, PlayCode, PlayId, NodeId, SealedNoun, Signed } from "./nouns";

/** Names an object that lives in the core until it is closed. */
export type Handle<Kind extends string> = number & { readonly kind?: Kind };
export type ViewerHandle = Handle<"viewer">;
export type FilmHandle = Handle<"film">;
export type CellHandle = Handle<"cell">;

/** How much of a cell is verified, in bytes from its start. */
export interface Verified {
  readonly verifiedEnd: number;
  readonly complete: boolean;
}

/** What a validator's answer means: a PlayCode to prove, or the reason (a refusal code) why the play is unpaid. */
export type PlayStart =
  | { readonly mining: true; readonly code: PlayCode }
  | { readonly mining: false; readonly unpaid: string };

export interface Protocol {
  /** Takes the account's 32-byte secret, which the caller wipes. */
  viewerOpen(viewer: { secret: Uint8Array; genesis: NetworkGenesis }): { handle: ViewerHandle; account: Hex20 };
  /** Verifies that `manifest` is the one `magnet` names. */
  filmOpen(viewer: ViewerHandle, magnet: string, manifest: Uint8Array): { handle: FilmHandle; manifest: Manifest };
  cellOpen(film: FilmHandle, cellIndex: number): CellHandle;

  /** Asks for the bytes that are not verified yet, from none of the `excluded`. */
  grantRequest(cell: CellHandle, request: { excluded: readonly NodeId[]; nowMs: number }): Signed<SealedNoun>;
  /** Verifies that a validator signed `grant` and opens its DownloadKey. */
  deliveryBegin(cell: CellHandle, grant: Signed<Grant>): void;
  /**
   * Takes the next bytes of the stream; throws when they are not the cell's. What was verified before stays good. One call
   * at a time; one whose delivery ended meanwhile throws `no-delivery`.
   */
  deliveryPush(cell: CellHandle, bytes: Uint8Array): Promise<Verified>;
  /** Ends the running delivery. The receipt for what it verified, or `null` when that is nothing. */
  deliveryEnd(cell: CellHandle): Signed<SealedNoun> | null;

  playRequest(
    cell: CellHandle,
    request: { grantId: string; supersedes: PlayId | null; layers: readonly Magnet[]; nowMs: number },
  ): Signed<SealedNoun>;
  /** Opens the CellKey, after which verified bytes can be read. */
  playBegin(cell: CellHandle, answer: PlayAnswer): PlayStart;
  /** Plaintext of a range that is verified already. */
  read(cell: CellHandle, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;

  /** Folds the play points that lie before `positionMs` (media time inside the cell). */
  advance(cell: CellHandle, positionMs: number, head: BlockHead): { folded: number; points: number };
  /** Tries `count` nonces from `from` on. All points must be folded. */
  mine(cell: CellHandle, from: number, count: number): number | null;
  prove(cell: CellHandle, slot: number, nonce: number): Signed<SealedNoun>;
  /** Of a proved play: what answers an audit of it, as JSON to be handed in. Needs nothing of the cell any more. */
  opening(cell: CellHandle): Uint8Array<ArrayBuffer>;
  /** What proves one of our receipts where the provider signed for something else; with the chunk where they differ. */
  evidence(cell: CellHandle, receipt: SealedNoun, chunk: number | null): Uint8Array<ArrayBuffer>;

  close(handle: Handle<string>): void;
}

type Hex20 = `0x${string}`;
