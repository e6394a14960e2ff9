// One cipher layer of a cell, put on or taken off by the browser's own AES, which has hardware for it: a tenth of what the
// same costs in WebAssembly.
//
// AES-256 in counter mode from a zero counter at the start of the cell (`crates/cell/src/keystream.rs`), so any range can
// be opened alone.

const BLOCK_BYTES = 16;

export class Layer {
  readonly #key: Promise<CryptoKey>;

  /** Takes the key's 32 bytes, and wipes them. */
  constructor(key: Uint8Array<ArrayBuffer>) {
    this.#key = crypto.subtle.importKey("raw", key, "AES-CTR", false, ["encrypt"]);
    // The import copies before it answers.
    key.fill(0);
  }

  /** The other side of `bytes`, which stand at `offset` in the cell; a multiple of 16. */
  async apply(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const counter = new Uint8Array(BLOCK_BYTES);
    // A cell has less than 2^32 blocks.
    new DataView(counter.buffer).setUint32(BLOCK_BYTES - 4, offset / BLOCK_BYTES);
    return new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CTR", counter, length: 64 }, await this.#key, bytes));
  }
}

/** The nearest offset at or before `offset` from which a {@link Layer} can be applied. */
export function blockStart(offset: number): number {
  return offset - (offset % BLOCK_BYTES);
}
