// Loads the Rust core (`crates/browser`) and gives each of its operations a typed method.
//
// The twin of `crates/browser/src/abi.rs` and `operation.rs`, where the convention is described. A `Core` belongs to
// the worker that loaded it. Input bytes are copied into the module, answers are copied out: nothing here points into
// the module's memory after a call. Input that was copied in is wiped, since it may hold keys.

import { blockStart, Layer } from "./layer";
import type { BlockHead, Grant, Magnet, NetworkGenesis, NodeId, PlayAnswer, PlayCode, PlayId, SealedNoun, Signed } from "./nouns";
import type { CellHandle, FilmHandle, Handle, PlayStart, Protocol, Verified, ViewerHandle } from "./protocol";

import { Stripper } from "./stripper";

type OpenedViewer = ReturnType<Protocol["viewerOpen"]>;
type OpenedFilm = ReturnType<Protocol["filmOpen"]>;

/** Version of the convention, the same as `ABI_VERSION` in `operation.rs`. */
export const ABI_VERSION = 1;

/** Numbers of the operations, the same as in `operation.rs`. */
const OPERATION = {
  describe: 0x0001,
  close: 0x0002,
  viewerOpen: 0x0301,
  filmOpen: 0x0302,
  cellOpen: 0x0303,
  grantRequest: 0x0304,
  deliveryBegin: 0x0305,
  deliveryPush: 0x0306,
  deliveryEnd: 0x0307,
  playRequest: 0x0308,
  playBegin: 0x0309,
  read: 0x030a,
  advance: 0x030b,
  mine: 0x030c,
  prove: 0x030d,
  opening: 0x030e,
  evidence: 0x030f,
  deliveryLayer: 0x0310,
  deliveryPushStripped: 0x0311,
  readSealed: 0x0312,
  contentLayer: 0x0313,
} as const;

type Operation = (typeof OPERATION)[keyof typeof OPERATION];

const REPLY_OK = 0;

/** Largest input of one call, the same as `BUFFER_BYTES_MAX` in `buffers.rs`. */
const INPUT_BYTES_MAX = 4 << 20;

/** Input buffer kept for all calls, and the piece in which longer input is streamed. */
const PIECE_BYTES = 256 << 10;

const NO_BYTES = new Uint8Array(0);

/** A call that the core refused, or could not finish. */
export class CoreError extends Error {
  /** Stable and made for programs: a refusal's code, or `trap`, `dead`, `out-of-memory`, `no-core`, `other-version`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CoreError";
    this.code = code;
  }
}

/** What the core says of itself. */
export interface Description {
  readonly abi: number;
  readonly version: string;
}

/** What the module exports; see `abi.rs`. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  alloc(len: number): number;
  dealloc(address: number): number;
  call(operation: number, handle: number, address: number, len: number): bigint;
  panic_text(): bigint;
}

/** One instance of the Rust core. */
export class Core implements Protocol {
  readonly #exports: Exports;
  /** Address of the input buffer of `PIECE_BYTES`. */
  readonly #input: number;
  /** Of each cell, the delivery that is under way, and the layer of its content. */
  readonly #deliveries = new Map<number, Stripper>();
  readonly #contents = new Map<number, Layer>();
  /** Set by a trap: the instance's state may then be half changed. */
  #death: CoreError | undefined;

  /** Takes a fresh instance; use {@link loadCore}. */
  constructor(instance: WebAssembly.Instance) {
    this.#exports = checkedExports(instance);
    this.#input = this.#alloc(PIECE_BYTES);
    const { abi } = this.describe();
    if (abi !== ABI_VERSION) {
      throw new CoreError("other-version", `the core speaks version ${abi}, this page ${ABI_VERSION}: reload the page`);
    }
  }

  /** Version of the core. */
  describe(): Description {
    return this.#callJson<Description>(OPERATION.describe);
  }

  viewerOpen({ secret, genesis }: { secret: Uint8Array; genesis: NetworkGenesis }): OpenedViewer {
    return this.#callJson<OpenedViewer>(OPERATION.viewerOpen, 0, { secret: toHex(secret), genesis });
  }

  filmOpen(viewer: ViewerHandle, magnet: string, manifest: Uint8Array): OpenedFilm {
    const input = new Uint8Array(32 + manifest.length);
    input.set(fromHex(magnet, 32));
    input.set(manifest, 32);
    return parse<OpenedFilm>(this.#call(OPERATION.filmOpen, viewer, input));
  }

  cellOpen(film: FilmHandle, cellIndex: number): CellHandle {
    return this.#callJson<{ handle: CellHandle }>(OPERATION.cellOpen, film, { cellIndex }).handle;
  }

  grantRequest(cell: CellHandle, request: { excluded: readonly NodeId[]; nowMs: number }): Signed<SealedNoun> {
    return this.#callJson<Signed<SealedNoun>>(OPERATION.grantRequest, cell, request);
  }

  deliveryBegin(cell: CellHandle, grant: Signed<Grant>): void {
    this.#call(OPERATION.deliveryBegin, cell, encode(grant));
    const layer = new Layer(this.#call(OPERATION.deliveryLayer, cell));
    // The decryption takes a moment: what it gives may be too late.
    const isRunning = () => this.#deliveries.get(cell) === stripper;
    const stripper: Stripper = new Stripper(layer, grant.body, {
      plain: (bytes) => parse<Verified>(this.#call(OPERATION.deliveryPush, cell, bytes)),
      stripped: (delivered, sealed) => {
        if (!isRunning()) throw new CoreError("no-delivery", "the delivery has ended");
        return parse<Verified>(this.#call(OPERATION.deliveryPushStripped, cell, delivered, sealed));
      },
    });
    this.#deliveries.set(cell, stripper);
  }

  async deliveryPush(cell: CellHandle, bytes: Uint8Array): Promise<Verified> {
    const stripper = this.#deliveries.get(cell);
    if (!stripper) throw new CoreError("no-delivery", "no delivery is under way");
    let verified: Verified = { verifiedEnd: 0, complete: false };
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) verified = await stripper.push(bytes.subarray(at, at + PIECE_BYTES));
    return verified;
  }

  deliveryEnd(cell: CellHandle): Signed<SealedNoun> | null {
    this.#deliveries.delete(cell);
    return this.#callJson<Signed<SealedNoun> | null>(OPERATION.deliveryEnd, cell);
  }

  playRequest(
    cell: CellHandle,
    { grantId, supersedes, layers, nowMs }: { grantId: string; supersedes: PlayId | null; layers: readonly Magnet[]; nowMs: number },
  ): Signed<SealedNoun> {
    return this.#callJson<Signed<SealedNoun>>(OPERATION.playRequest, cell, { grant: grantId, supersedes, layers, nowMs });
  }

  playBegin(cell: CellHandle, answer: PlayAnswer): PlayStart {
    const { code } = this.#callJson<{ code: PlayCode | null }>(OPERATION.playBegin, cell, answer);
    this.#contents.set(cell, new Layer(this.#call(OPERATION.contentLayer, cell)));
    if (code) return { mining: true, code };
    return { mining: false, unpaid: answer.outcome.kind === "unpaid" ? answer.outcome.detail : "" };
  }

  async read(cell: CellHandle, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const layer = this.#contents.get(cell);
    if (!layer) throw new CoreError("no-cell-key", "the cell has no key yet");
    const start = blockStart(offset);
    const sealed = this.#call(OPERATION.readSealed, cell, encode({ start, end: offset + length }));
    return (await layer.apply(start, sealed)).subarray(offset - start);
  }

  advance(cell: CellHandle, positionMs: number, { number, hash }: BlockHead): { folded: number; points: number } {
    const position = { positionMs: Math.max(0, Math.floor(positionMs)), number, hash };
    return this.#callJson<{ folded: number; points: number }>(OPERATION.advance, cell, position);
  }

  mine(cell: CellHandle, from: number, count: number): number | null {
    return this.#callJson<{ nonce: number | null }>(OPERATION.mine, cell, { from, count }).nonce;
  }

  prove(cell: CellHandle, slot: number, nonce: number): Signed<SealedNoun> {
    return this.#callJson<Signed<SealedNoun>>(OPERATION.prove, cell, { slot, nonce });
  }

  opening(cell: CellHandle): Uint8Array<ArrayBuffer> {
    return this.#call(OPERATION.opening, cell);
  }

  evidence(cell: CellHandle, receipt: SealedNoun, chunk: number | null): Uint8Array<ArrayBuffer> {
    return this.#call(OPERATION.evidence, cell, encode({ receipt, chunk }));
  }

  close(handle: Handle<string>): void {
    this.#deliveries.delete(handle);
    this.#contents.delete(handle);
    this.#call(OPERATION.close, handle);
  }

  /** Calls an operation that takes and gives structured values. */
  #callJson<Answer>(operation: Operation, handle = 0, request?: unknown): Answer {
    return parse<Answer>(this.#call(operation, handle, request === undefined ? NO_BYTES : encode(request)));
  }

  /** Calls an operation that takes and gives bytes, its input in parts; throws a {@link CoreError} if it is refused. */
  #call(operation: Operation, handle = 0, ...input: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    if (this.#death) throw new CoreError("dead", "the core trapped before and must be loaded again", { cause: this.#death });
    const length = input.reduce((sum, part) => sum + part.length, 0);
    if (length > INPUT_BYTES_MAX) throw new CoreError("above-max", `${length} bytes are too many for one call`);
    try {
      const own = length > PIECE_BYTES;
      const address = own ? this.#alloc(length) : this.#input;
      const bytes = this.#bytes(address, length);
      let at = 0;
      for (const part of input) {
        bytes.set(part, at);
        at += part.length;
      }
      const reply = this.#exports.call(operation, handle, address, length);
      if (own) this.#exports.dealloc(address);
      else this.#bytes(address, length).fill(0);
      return this.#take(reply);
    } catch (error) {
      throw error instanceof WebAssembly.RuntimeError ? this.#die(error) : error;
    }
  }

  /** Copies a reply out, frees it, and gives its payload or throws its refusal. */
  #take(packed: bigint): Uint8Array<ArrayBuffer> {
    const [address, len] = unpack(packed);
    const reply = this.#bytes(address, len);
    const isOk = reply[0] === REPLY_OK;
    const payload = new Uint8Array(reply.subarray(1));
    this.#exports.dealloc(address);
    if (isOk) return payload;
    const { code, message } = JSON.parse(new TextDecoder().decode(payload)) as { code: string; message: string };
    throw new CoreError(code, message);
  }

  #alloc(len: number): number {
    const address = this.#exports.alloc(len);
    if (address === 0) throw new CoreError("out-of-memory", `the core has no buffer of ${len} bytes`);
    return address;
  }

  #die(trap: WebAssembly.RuntimeError): CoreError {
    const [address, len] = unpack(this.#exports.panic_text());
    const text = new TextDecoder().decode(this.#bytes(address, len));
    this.#death = new CoreError("trap", text || trap.message, { cause: trap });
    return this.#death;
  }

  /** A view made anew each time, because memory that has grown leaves older views empty. */
  #bytes(address: number, len: number): Uint8Array {
    return new Uint8Array(this.#exports.memory.buffer, address, len);
  }
}

/** Makes a core from a fetched response (streamed when the server names its type) or from bytes. */
export async function loadCore(source: Response | BufferSource): Promise<Core> {
  return new Core((await instantiate(source)).instance);
}

async function instantiate(source: Response | BufferSource): Promise<WebAssembly.WebAssemblyInstantiatedSource> {
  if (!(source instanceof Response)) return WebAssembly.instantiate(source);
  if (!source.ok) throw new CoreError("no-core", `the core cannot be fetched: HTTP ${source.status}`);
  if (source.headers.get("content-type") === "application/wasm") return WebAssembly.instantiateStreaming(source);
  return WebAssembly.instantiate(await source.arrayBuffer());
}

function checkedExports({ exports }: WebAssembly.Instance): Exports {
  const functions = ["alloc", "dealloc", "call", "panic_text"].every((name) => typeof exports[name] === "function");
  if (!functions || !(exports["memory"] instanceof WebAssembly.Memory)) {
    throw new CoreError("no-core", "the module is not a Chainflix core");
  }
  return exports as unknown as Exports;
}

/** Splits the module's pair of address and length; WebAssembly gives the 64 bits with a sign. */
function unpack(packed: bigint): [address: number, len: number] {
  const bits = BigInt.asUintN(64, packed);
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
}

function encode(request: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(request));
}

function parse<Answer>(answer: Uint8Array): Answer {
  return JSON.parse(new TextDecoder().decode(answer)) as Answer;
}

function fromHex(text: string, length: number): Uint8Array {
  const digits = text.startsWith("0x") ? text.slice(2) : text;
  if (!/^[0-9a-f]*$/i.test(digits) || digits.length !== 2 * length) {
    throw new CoreError("malformed-input", `${length} bytes of hex were expected`);
  }
  return Uint8Array.from({ length }, (_, index) => Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16));
}

function toHex(bytes: Uint8Array): string {
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
