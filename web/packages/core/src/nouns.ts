// The protocol's nouns as they travel in JSON: the twins of `crates/primitives`.
//
// Byte strings are `0x` hex, times are milliseconds, field names are Rust's in camel case. Only what the web app reads
// is spelt out; what it merely carries from the core to the gateway and back is opaque. Nothing here checks anything:
// the Rust core verifies whatever a stranger said.

export type Hex = `0x${string}`;
export type AccountAddress = Hex;
export type Magnet = Hex;
export type GrantId = Hex;
export type PlayId = Hex;
export type NodeId = Hex;

/** A noun with the signature of one account. */
export interface Signed<Body> {
  readonly body: Body;
  readonly signature: Hex;
}

/** Made and signed by the core; the page only carries it. */
export interface SealedNoun {
  readonly [field: string]: unknown;
}

/** Permission to fetch a cell from one provider. */
export interface Grant {
  readonly id: GrantId;
  readonly cellIndex: number;
  readonly size: number;
  readonly fromByte: number;
  readonly provider: AccountAddress;
  readonly providerNode: NodeId;
  readonly expiresMs: number;
}

/** What a validator issues when the play of one cell starts. */
export interface PlayCode {
  readonly id: PlayId;
  readonly cellIndex: number;
  /** The issuer's clock at issue. */
  readonly issuedMs: number;
  /** When the minute starts: at issue, or when the running cell ends. */
  readonly startsMs: number;
  readonly playMs: number;
}

/** A validator's answer to a play request: the key in any case, a PlayCode when the play can be paid. */
export interface PlayAnswer {
  readonly cellKey: Hex;
  readonly outcome:
    | { readonly kind: "mining"; readonly detail: Signed<PlayCode> }
    | { readonly kind: "unpaid"; readonly detail: string };
}

export interface Track {
  readonly kind: "video" | "audio";
  readonly mediaType: string;
  readonly width: number;
  readonly height: number;
  /** The CMAF initialisation segment. */
  readonly init: Hex;
}

export interface Fragment {
  /** Index into `Manifest.tracks`. */
  readonly track: number;
  /** Bytes; a fragment starts where the one before it ends. */
  readonly size: number;
  /** Media time from the start of the video. */
  readonly startMs: number;
}

export interface CellEntry {
  readonly id: Hex;
  readonly size: number;
  readonly startMs: number;
  readonly durationMs: number;
  readonly fragments: readonly Fragment[];
}

/** The video information behind a Magnet. */
export interface Manifest {
  readonly title: string;
  readonly creator: AccountAddress;
  readonly playTimeMs: number;
  readonly tracks: readonly Track[];
  readonly cells: readonly CellEntry[];
}

/** The protocol's numbers that the web app needs; the core gets the whole genesis. */
export interface ProtocolParams {
  readonly cellMs: number;
  readonly slotMs: number;
  readonly blockMs: number;
  readonly playPoints: number;
  readonly latePermille: number;
  /** How long before the running cell ends the next PlayCode may be asked for. */
  readonly overlapMs: number;
  readonly [other: string]: unknown;
}

export interface NetworkGenesis {
  readonly chainId: number;
  readonly genesisTimeMs: number;
  readonly params: ProtocolParams;
  readonly validators: readonly { readonly account: AccountAddress; readonly consensusKey: Hex }[];
  readonly [other: string]: unknown;
}

/** A finalised block. */
export interface BlockHead {
  readonly number: number;
  readonly hash: Hex;
}

/** The number of the cell that holds media time `positionMs`; the last one for any later time. */
export function cellAt(manifest: Manifest, positionMs: number): number {
  const after = manifest.cells.findIndex((cell) => cell.startMs > positionMs);
  return Math.max(0, (after === -1 ? manifest.cells.length : after) - 1);
}
