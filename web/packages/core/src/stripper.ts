// Cuts one delivery into what the core takes: the chunk hashes as they are, then whole chunks with and without their layer.
//
// ```text
//   stream   [ chunk hashes ][ bytes under the delivery layer ……………………………… ]
//   push()        │ list            │ whole chunks of 16 KiB, the last one shorter ─▶ layer ─▶ stripped
//                 └──── core ───────┴────────────────────────────────────────────── core ─────┘
// ```

import { Layer } from "./layer";
import type { Grant } from "./nouns";
import type { Verified } from "./protocol";

/** The unit that is verified, as in `crates/primitives`. */
const CHUNK_BYTES = 16_384;
const HASH_BYTES = 32;

/** Where the pieces go. */
export interface StrippedSink {
  /** Bytes as they came: the chunk hashes, and what is too much. */
  plain(bytes: Uint8Array): Verified;
  stripped(delivered: Uint8Array, sealed: Uint8Array): Verified;
}

export class Stripper {
  readonly #layer: Layer;
  readonly #sink: StrippedSink;
  readonly #size: number;
  /** Bytes of the list that are still to come. */
  #listLeft: number;
  #offset: number;
  /** Less than a chunk that waits for its rest. */
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(layer: Layer, { size, fromByte }: Pick<Grant, "size" | "fromByte">, sink: StrippedSink) {
    this.#layer = layer;
    this.#sink = sink;
    this.#size = size;
    this.#listLeft = Math.ceil(size / CHUNK_BYTES) * HASH_BYTES;
    this.#offset = fromByte;
  }

  /** Takes the next bytes of the stream. One call at a time. */
  async push(bytes: Uint8Array): Promise<Verified> {
    let verified: Verified = { verifiedEnd: this.#offset, complete: false };
    const list = bytes.subarray(0, this.#listLeft);
    if (list.length > 0) {
      verified = this.#sink.plain(list);
      this.#listLeft -= list.length;
    }
    const held = join(this.#rest, bytes.subarray(list.length));
    const left = this.#size - this.#offset;
    const end = held.length >= left ? left : held.length - (held.length % CHUNK_BYTES);
    const whole = held.subarray(0, end);
    this.#rest = held.slice(end);
    if (whole.length > 0) {
      const sealed = await this.#layer.apply(this.#offset, whole);
      this.#offset += whole.length;
      verified = this.#sink.stripped(whole, sealed);
    }
    // More than the cell has: the core says so.
    if (this.#offset === this.#size && this.#rest.length > 0) return this.#sink.plain(this.#rest);
    return verified;
  }
}

function join(first: Uint8Array<ArrayBuffer>, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
