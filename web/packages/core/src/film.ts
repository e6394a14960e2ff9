// One film being watched: carries out what its `FilmSession` decides, with the Rust core and the gateway.
//
// Every outcome goes back into the session as an input; nothing is decided here. Closing it stops all of it.

import { GATEWAY_BACKOFF, waitMs } from "./backoff";
import { FetchError, fetchCell } from "./fetch-cell";
import { type Gateway, GatewayError } from "./gateway";
import type { Report } from "./messages";
import type { BlockHead, Grant, Magnet, Manifest, NetworkGenesis, PlayId, SealedNoun, Signed } from "./nouns";
import type { CellHandle, FilmHandle, Protocol, ViewerHandle } from "./protocol";
import { FilmSession, type SessionEffect, type SessionInput } from "./session";
import { CoreError } from "./wasm";

/** Nonces tried between two looks at the mailbox: a few milliseconds. */
const NONCES_PER_SLICE = 1 << 14;
const RECEIPT_TRIES = 6;

/** What a film needs of the worker. */
export interface FilmContext {
  readonly core: Protocol;
  readonly gateway: Gateway;
  readonly genesis: NetworkGenesis;
  readonly viewer: ViewerHandle;
  /** The network's clock, in whole milliseconds since the Unix epoch. */
  nowMs(): number;
  /** The newest finalised block. */
  head(): BlockHead;
  report(report: Report): void;
  /** A play is about to be proved: keeps what answers an audit of it, also beyond this page. */
  proved(play: PlayId, opening: Uint8Array<ArrayBuffer>): Promise<void>;
  /** {@link Film.isBusy} may have changed. */
  changed(): void;
}

export class Film {
  readonly #context: FilmContext;
  readonly #opening: number;
  readonly #handle: FilmHandle;
  readonly #manifest: Manifest;
  readonly #session: FilmSession;
  readonly #cells = new Map<number, CellHandle>();
  /** Receipts under way: a proof waits for its cell's. */
  readonly #receipts = new Map<number, Promise<unknown>>();
  /** What we signed for, as long as it may be disputed. */
  readonly #signed = new Map<number, SealedNoun[]>();
  readonly #closed = new AbortController();
  #fetch: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakesAtMs: number | undefined;
  #draining = false;
  #unfinished: PlayId | null = null;

  private constructor(context: FilmContext, opening: number, opened: { handle: FilmHandle; manifest: Manifest }, givenUp: PlayId | null) {
    this.#context = context;
    this.#opening = opening;
    this.#handle = opened.handle;
    this.#manifest = opened.manifest;
    this.#session = new FilmSession(opened.manifest, context.genesis.params, { random: Math.random, givenUp });
  }

  /** Fetches and verifies the manifest, and tells the page. */
  static async open(context: FilmContext, opening: number, magnet: Magnet, givenUp: PlayId | null): Promise<Film> {
    const bytes = await context.gateway.manifest(magnet);
    const film = new Film(context, opening, context.core.filmOpen(context.viewer, magnet, bytes), givenUp);
    context.report({ kind: "film", opening, manifest: film.#manifest });
    return film;
  }

  get opening(): number {
    return this.#opening;
  }

  /** It needs the events of the network. */
  get isBusy(): boolean {
    return !this.#closed.signal.aborted && this.#session.isBusy;
  }

  /** Takes what happened, and does what follows from it. */
  handle(input: SessionInput): void {
    if (this.#closed.signal.aborted) return;
    this.#session.handle(performance.now(), input);
    if (this.#draining) return;
    this.#draining = true;
    for (let effect = this.#session.poll(); effect; effect = this.#session.poll()) this.#perform(effect);
    this.#draining = false;
    this.#tellUnfinished();
    this.#sleep();
    this.#context.changed();
  }

  /** Sends one fragment to the page. */
  async read(cell: number, fragment: number): Promise<void> {
    let bytes: ArrayBuffer | null = null;
    const handle = this.#cells.get(cell);
    const fragments = this.#manifest.cells[cell]?.fragments ?? [];
    const entry = fragments[fragment];
    if (handle !== undefined && entry) {
      const offset = fragments.slice(0, fragment).reduce((sum, { size }) => sum + size, 0);
      try {
        const read = await this.#context.core.read(handle, offset, entry.size);
        // A view into a larger buffer would send, and empty, all of that.
        bytes = read.byteLength === read.buffer.byteLength ? read.buffer : read.slice().buffer;
      } catch (error) {
        this.#trouble(error);
      }
    }
    this.#context.report({ kind: "fragment", opening: this.#opening, cell, fragment, bytes });
  }

  close(): void {
    this.#closed.abort();
    this.#fetch?.abort();
    clearTimeout(this.#timer);
    for (const handle of this.#cells.values()) this.#context.core.close(handle);
    this.#cells.clear();
    this.#context.core.close(this.#handle);
  }

  #perform(effect: SessionEffect): void {
    switch (effect.kind) {
      case "fetch":
        return void this.#fetchCell(effect);
      case "abort":
        return this.#fetch?.abort();
      case "ask":
        return void this.#ask(effect);
      case "advance":
        return this.#advance(effect.cell, effect.positionMs);
      case "mine":
        return void this.#mine(effect.cell);
      case "prove":
        return void this.#prove(effect);
      case "dispute":
        return void this.#dispute(effect.cell);
      case "drop":
        return this.#drop(effect.cell);
      case "cell":
        return this.#context.report({ kind: "cell", opening: this.#opening, state: effect.state });
      case "stop":
        return this.#stop(effect.code, effect.message);
    }
  }

  async #fetchCell({ cell, attempt, excluded }: SessionEffect & { kind: "fetch" }): Promise<void> {
    const controller = new AbortController();
    this.#fetch = controller;
    const { core, gateway, nowMs } = this.#context;
    const meter = new Meter((grant, bytesPerSecond) => this.#tellSource(cell, grant, bytesPerSecond));
    try {
      await fetchCell({
        core,
        gateway,
        nowMs,
        cell: this.#cell(cell),
        excluded,
        signal: controller.signal,
        granted: (grant) => {
          meter.start(grant);
          this.handle({ kind: "granted", attempt, grant: grant.id, provider: grant.providerNode });
        },
        progressed: (verified) => this.handle({ kind: "progressed", attempt, verified }),
        received: (bytes) => meter.count(bytes),
        receipt: (receipt) => this.#sendReceipt(cell, receipt),
      });
    } catch (error) {
      if (controller.signal.aborted) return;
      if (!(error instanceof FetchError)) return this.#trouble(error);
      this.handle({ kind: "fetchFailed", attempt, failure: error.failure, message: error.message });
    }
  }

  #sendReceipt(cell: number, receipt: Signed<SealedNoun>): void {
    this.#signed.set(cell, [...(this.#signed.get(cell) ?? []), receipt.body]);
    const sent = persist(() => this.#context.gateway.receipt(receipt), this.#closed.signal);
    this.#receipts.set(cell, Promise.all([this.#receipts.get(cell), sent]));
  }

  async #ask({ cell, grant, supersedes }: SessionEffect & { kind: "ask" }): Promise<void> {
    const { core, gateway, nowMs } = this.#context;
    try {
      const handle = this.#cell(cell);
      const answer = await gateway.requestPlay(core.playRequest(handle, { grantId: grant, supersedes, layers: [], nowMs: nowMs() }));
      if (this.#closed.signal.aborted) return;
      this.handle({ kind: "answered", cell, start: core.playBegin(handle, answer) });
    } catch (error) {
      if (!(error instanceof GatewayError)) return this.#trouble(error);
      const { code, message, retryMs } = error;
      this.handle({ kind: "askFailed", cell, code, message, retryMs });
    }
  }

  #advance(cell: number, positionMs: number): void {
    const { core, head } = this.#context;
    try {
      const { folded } = core.advance(this.#cell(cell), Math.floor(positionMs), head());
      this.handle({ kind: "folded", cell, folded });
    } catch (error) {
      // Bytes that are not here yet are folded at the next report of the media element.
      if (error instanceof CoreError && error.code === "trap") this.#trouble(error);
    }
  }

  async #mine(cell: number): Promise<void> {
    const handle = this.#cell(cell);
    try {
      for (let from = 0; !this.#closed.signal.aborted; from += NONCES_PER_SLICE) {
        if (this.#cells.get(cell) !== handle) return;
        const nonce = this.#context.core.mine(handle, from, NONCES_PER_SLICE);
        if (nonce !== null) return this.handle({ kind: "mined", cell, nonce });
        await new Promise((resolve) => setTimeout(resolve));
      }
    } catch (error) {
      this.#trouble(error);
    }
  }

  async #prove({ cell, play, nonce }: SessionEffect & { kind: "prove" }): Promise<void> {
    const { core, gateway, genesis, nowMs, proved } = this.#context;
    try {
      await this.#receipts.get(cell);
      if (this.#closed.signal.aborted) return;
      const handle = this.#cell(cell);
      const slot = Math.floor((nowMs() - genesis.genesisTimeMs) / genesis.params.slotMs);
      const proof = core.prove(handle, slot, nonce);
      // Before it is sent: it may arrive though the answer is lost, or the page is closed meanwhile.
      await proved(play, core.opening(handle));
      await gateway.proof(proof);
      this.handle({ kind: "proofSent", cell });
    } catch (error) {
      if (!(error instanceof GatewayError)) return this.#trouble(error);
      this.handle({ kind: "proofFailed", cell, code: error.code, transient: error.isTransient });
    }
  }

  /** Shows what is behind our receipts; once more with the chunk at which they differ from the provider's. */
  async #dispute(cell: number): Promise<void> {
    const { core, gateway } = this.#context;
    for (const receipt of this.#signed.get(cell) ?? []) {
      try {
        const report = await gateway.evidence(core.evidence(this.#cell(cell), receipt, null));
        if (report.state === "open") await gateway.evidence(core.evidence(this.#cell(cell), receipt, report.chunk));
      } catch {
        // Nobody disputes this one, or nobody answers: the next try of the proof tells.
      }
    }
  }

  #drop(cell: number): void {
    const handle = this.#cells.get(cell);
    if (handle === undefined) return;
    this.#cells.delete(cell);
    this.#signed.delete(cell);
    this.#context.core.close(handle);
  }

  #cell(index: number): CellHandle {
    let handle = this.#cells.get(index);
    if (handle === undefined) {
      handle = this.#context.core.cellOpen(this.#handle, index);
      this.#cells.set(index, handle);
    }
    return handle;
  }

  /** Wakes for the session's deadline; a timer that is set for it already stays. */
  #sleep(): void {
    const nowMs = performance.now();
    const deadline = this.#session.deadline(nowMs);
    if (deadline === this.#wakesAtMs) return;
    clearTimeout(this.#timer);
    this.#wakesAtMs = deadline;
    if (deadline === undefined) return;
    const wake = () => {
      this.#wakesAtMs = undefined;
      this.handle({ kind: "tick" });
    };
    this.#timer = setTimeout(wake, Math.max(10, deadline - nowMs));
  }

  #tellSource(cell: number, grant: Grant, bytesPerSecond: number): void {
    const source = { cell, provider: grant.provider, node: grant.providerNode, bytesPerSecond };
    this.#context.report({ kind: "source", opening: this.#opening, source });
  }

  #tellUnfinished(): void {
    const play = this.#session.unfinished;
    if (play === this.#unfinished) return;
    this.#unfinished = play;
    this.#context.report({ kind: "unfinished", opening: this.#opening, play });
  }

  /** A refusal by the core, or a fault of ours: the film cannot go on. */
  #trouble(error: unknown): void {
    if (this.#closed.signal.aborted) return;
    const { message } = error instanceof Error ? error : new Error(String(error));
    this.#stop(error instanceof CoreError ? error.code : "internal", message);
  }

  #stop(code: string, message: string): void {
    this.#fetch?.abort();
    this.#closed.abort();
    clearTimeout(this.#timer);
    this.#context.report({ kind: "stopped", opening: this.#opening, code, message });
    this.#context.changed();
  }
}

/** Tries until it works, is refused, or is called off. A refused receipt is the validators' last word. */
async function persist(send: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let tries = 1; tries <= RECEIPT_TRIES && !signal.aborted; tries += 1) {
    try {
      return await send();
    } catch (error) {
      if (error instanceof GatewayError && !error.isTransient) return;
      await new Promise((resolve) => setTimeout(resolve, waitMs(GATEWAY_BACKOFF, tries, Math.random())));
    }
  }
}

/** Speed of one delivery, told at its start and then once a second. */
class Meter {
  readonly #tell: (grant: Grant, bytesPerSecond: number) => void;
  #grant: Grant | undefined;
  #sinceMs = 0;
  #toldMs = 0;
  #bytes = 0;

  constructor(tell: (grant: Grant, bytesPerSecond: number) => void) {
    this.#tell = tell;
  }

  start(grant: Grant): void {
    this.#grant = grant;
    this.#sinceMs = performance.now();
  }

  count(bytes: number): void {
    this.#bytes += bytes;
    const nowMs = performance.now();
    if (!this.#grant || nowMs - this.#toldMs < 1_000) return;
    this.#toldMs = nowMs;
    this.#tell(this.#grant, Math.round((this.#bytes * 1_000) / Math.max(1, nowMs - this.#sinceMs)));
  }
}
