// Fetches the missing bytes of one cell from one provider: one grant, one delivery, one receipt.
//
// Verification happens in the core, 16 KiB at a time. Whatever ends the delivery, the receipt for what was verified is
// handed out, so that an honest provider is paid also when the viewer went elsewhere.

import type { FetchFailure } from "./deliveries";
import { Gateway, GatewayError } from "./gateway";
import type { Grant, NodeId, SealedNoun, Signed } from "./nouns";
import type { CellHandle, Protocol, Verified } from "./protocol";
import { CoreError } from "./wasm";

/** A delivery that is silent for so long is given to another provider; less than what is buffered ahead. */
const STALL_MS = 4_000;

/** Not the provider's doing. */
const OWN_TROUBLE: ReadonlySet<string> = new Set(["trap", "dead", "out-of-memory", "stripped", "no-delivery"]);

export class FetchError extends Error {
  readonly failure: FetchFailure;

  constructor(failure: FetchFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FetchError";
    this.failure = failure;
  }
}

export interface CellFetch {
  readonly core: Protocol;
  readonly gateway: Gateway;
  readonly cell: CellHandle;
  readonly excluded: readonly NodeId[];
  readonly signal: AbortSignal;
  /** The network's clock, in milliseconds since the Unix epoch. */
  nowMs(): number;
  granted(grant: Grant): void;
  /** More of the cell is verified. */
  progressed(verified: Verified): void;
  /** So many bytes arrived. */
  received(bytes: number): void;
  receipt(receipt: Signed<SealedNoun>): void;
}

/** Ends when the cell is complete; throws a {@link FetchError}, or anything once `signal` is aborted. */
export async function fetchCell(fetch: CellFetch): Promise<void> {
  const grant = await askGrant(fetch);
  if (fetch.signal.aborted) return;
  beginDelivery(fetch, grant);
  const watchdog = new Watchdog(fetch.signal);
  // The core must be free for the next delivery the moment this one is aborted.
  const end = once(() => endDelivery(fetch));
  fetch.signal.addEventListener("abort", end);
  try {
    await receive(fetch, grant, watchdog);
  } finally {
    watchdog.stop();
    fetch.signal.removeEventListener("abort", end);
    end();
  }
}

async function askGrant({ core, gateway, cell, excluded, nowMs }: CellFetch): Promise<Signed<Grant>> {
  const request = core.grantRequest(cell, { excluded, nowMs: nowMs() });
  try {
    return await gateway.grant(request);
  } catch (cause) {
    const { code, retryMs, message } = asGatewayError(cause);
    throw new FetchError({ code, fault: "gateway", retryMs }, message, { cause });
  }
}

function beginDelivery({ core, cell, granted }: CellFetch, grant: Signed<Grant>): void {
  try {
    core.deliveryBegin(cell, grant);
  } catch (cause) {
    // The gateway gave a grant that no validator signed, or of something else.
    const { code, message } = cause as CoreError;
    throw new FetchError({ code: `grant-${code}`, fault: "gateway" }, message, { cause });
  }
  granted(grant.body);
}

async function receive(fetch: CellFetch, grant: Signed<Grant>, watchdog: Watchdog): Promise<void> {
  let verifiedEnd = 0;
  let complete = false;
  try {
    const stream = await fetch.gateway.delivery(grant, watchdog.signal);
    const reader = stream.getReader();
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      if (fetch.signal.aborted) return;
      watchdog.feed();
      const verified = await push(fetch, step.value);
      if (fetch.signal.aborted) return;
      fetch.received(step.value.length);
      if (verified.verifiedEnd <= verifiedEnd && !verified.complete) continue;
      verifiedEnd = verified.verifiedEnd;
      complete ||= verified.complete;
      fetch.progressed(verified);
    }
  } catch (cause) {
    if (fetch.signal.aborted) return;
    throw cause instanceof FetchError ? cause : lost(cause, watchdog.barked);
  }
  if (!complete) throw new FetchError({ code: "delivery-short", fault: "absent" }, "the delivery ended before the cell did");
}

async function push({ core, cell }: CellFetch, bytes: Uint8Array): Promise<Verified> {
  try {
    return await core.deliveryPush(cell, bytes);
  } catch (cause) {
    const { code, message } = cause as CoreError;
    if (OWN_TROUBLE.has(code)) throw new FetchError({ code, fault: "gateway" }, message, { cause });
    throw new FetchError({ code, fault: "liar" }, message, { cause });
  }
}

function endDelivery({ core, cell, receipt }: CellFetch): void {
  const signed = core.deliveryEnd(cell);
  if (signed) receipt(signed);
}

function lost(cause: unknown, stalled: boolean): FetchError {
  if (stalled) return new FetchError({ code: "delivery-stalled", fault: "absent" }, "the provider fell silent", { cause });
  const { code, message, retryMs } = asGatewayError(cause);
  // A stream that breaks is the provider's, a request that finds nobody or a full house is the gateway's.
  const fault = code === "unreachable" || code === "busy" ? "gateway" : "absent";
  return new FetchError({ code, fault, retryMs }, message, { cause });
}

function asGatewayError(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  return new GatewayError("delivery-broken", cause instanceof Error ? cause.message : String(cause));
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}

/** Aborts its signal when it is not fed for `STALL_MS`, or when the outer signal is aborted. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #follow = () => this.#controller.abort();
  #fedAtMs = performance.now();
  #timer: ReturnType<typeof setTimeout>;
  barked = false;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    outer.addEventListener("abort", this.#follow);
    this.#timer = setTimeout(this.#look, STALL_MS);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Only a note: a timer of its own for every piece would cost more than the piece. */
  feed(): void {
    this.#fedAtMs = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#follow);
  }

  readonly #look = (): void => {
    const leftMs = this.#fedAtMs + STALL_MS - performance.now();
    if (leftMs > 0) this.#timer = setTimeout(this.#look, leftMs);
    else {
      this.barked = true;
      this.#controller.abort();
    }
  };
}
