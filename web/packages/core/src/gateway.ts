// Speaks the gateway's HTTP API; one method per route, errors as codes.
//
// Leaves out retries, which the film session decides on, and the event stream (`events.ts`).

import type { AccountAddress, BlockHead, Grant, Magnet, NetworkGenesis, PlayAnswer, PlayId, SealedNoun, Signed } from "./nouns";

/** Nobody refused: the same request may well get through in a moment. */
const TRANSIENT: ReadonlySet<string> = new Set(["unreachable", "busy", "timeout", "validator-failed"]);

/** A request that was refused or did not get through. */
export class GatewayError extends Error {
  /** A refusal's or the gateway's code, or `unreachable` when no answer came, or `http` when it made no sense. */
  readonly code: string;
  /** When the same request may be tried again. */
  readonly retryMs: number | undefined;

  constructor(code: string, message: string, retryMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "GatewayError";
    this.code = code;
    this.retryMs = retryMs;
  }

  get isTransient(): boolean {
    return TRANSIENT.has(this.code);
  }
}

export interface NetworkState {
  readonly genesis: NetworkGenesis;
  readonly head: BlockHead;
  readonly viewBlocks: number;
  /** The gateway's clock. */
  readonly nowMs: number;
}

export interface FilmEntry {
  readonly magnet: Magnet;
  readonly uri: string;
  readonly title: string;
  readonly creator: AccountAddress;
  readonly supervisor: AccountAddress;
  readonly playTimeMs: number;
  readonly cells: number;
  readonly width: number;
  readonly height: number;
  readonly takenDown: boolean;
}

/** How a play stands: `pending` is voted for and not awarded yet, `auditing` must be opened, `accepted` is awarded. */
export interface PlayStatus {
  readonly status: "running" | "proved" | "pending" | "auditing" | "accepted" | "refused" | "unknown";
  readonly viewBlock?: number;
  /** By when it must be opened, by the validators' clock. */
  readonly untilMs?: number;
  readonly code?: string;
  readonly message?: string;
}

/** How a dispute about a delivery stands; `open` names the chunk to be shown. */
export type DisputeReport =
  | { readonly state: "waiting" | "agreed" | "judged" }
  | { readonly state: "open"; readonly chunk: number };

/** Who shares in the reward of a play. */
export type Role = "creator" | "viewer" | "activators" | "storage" | "validators" | "supervisor" | "operation";

/** A play in the history of its viewer. */
export interface AccountPlay extends PlayStatus {
  /** `null` where the wish for one was refused. */
  readonly play: PlayId | null;
  readonly magnet: Magnet;
  readonly cellIndex: number;
  /** When it came so far. */
  readonly timeMs: number;
  /** What it paid, by role; only of a play that was awarded. */
  readonly paid?: readonly { readonly role: Role; readonly gwei: number }[];
}

/** Coins of an account; sums are decimal texts, since a browser's numbers end at 2^53. */
export interface AccountState {
  /** To be spent now. */
  readonly balanceWei: string;
  /** For plays that are voted for and not awarded yet: what it will be if all of them stand. */
  readonly pendingGwei: string;
  /** Awarded, and not to be spent yet. */
  readonly vestingGwei: string;
  /** The first parts of it, soonest first: from which view block on they can be spent. */
  readonly vesting: readonly { readonly viewBlock: number; readonly gwei: number }[];
  /** View blocks made so far. */
  readonly viewBlocks: number;
  /** Newest first. */
  readonly plays: readonly AccountPlay[];
  /** Where the next page of plays begins; `null` at the end. */
  readonly next: string | null;
}

export class Gateway {
  readonly #base: string;

  /** @param base the gateway's origin; empty for the page's own. */
  constructor(base = "") {
    this.#base = base;
  }

  network = (): Promise<NetworkState> => this.#json("/api/network");
  films = (): Promise<FilmEntry[]> => this.#json("/api/films");
  /** @param from where a page of plays begins, see {@link AccountState.next}. */
  account = (address: AccountAddress, from?: string): Promise<AccountState> =>
    this.#json(`/api/accounts/${address}${from === undefined ? "" : `?from=${encodeURIComponent(from)}`}`);
  play = (id: PlayId): Promise<PlayStatus> => this.#json(`/api/plays/${id}`);

  async manifest(magnet: Magnet): Promise<Uint8Array> {
    const response = await this.#fetch(`/api/films/${magnet}/manifest`);
    return new Uint8Array(await response.arrayBuffer());
  }

  grant = (request: Signed<SealedNoun>): Promise<Signed<Grant>> => this.#json("/api/grants", request);
  requestPlay = (request: Signed<SealedNoun>): Promise<PlayAnswer> => this.#json("/api/plays", request);

  /** Opens a delivery; the stream ends early when the provider is lost. */
  async delivery(grant: Signed<Grant>, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#fetch("/api/deliveries", post(grant, { signal }));
    if (!response.body) throw new GatewayError("http", "the delivery has no body");
    return response.body;
  }

  async receipt(receipt: Signed<SealedNoun>): Promise<void> {
    await this.#fetch("/api/receipts", post(receipt));
  }

  async proof(proof: Signed<SealedNoun>): Promise<void> {
    await this.#fetch("/api/proofs", post(proof));
  }

  /** @param opening JSON of a signed opening, as the core made it. */
  async opening(opening: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#fetch("/api/openings", postJson(opening));
  }

  /** @param evidence JSON of signed evidence, as the core made it. */
  async evidence(evidence: Uint8Array<ArrayBuffer>): Promise<DisputeReport> {
    const response = await this.#fetch("/api/evidence", postJson(evidence));
    return (await response.json()) as DisputeReport;
  }

  /** One Ethereum or `cfx_` JSON-RPC call. */
  async rpc<Answer>(method: string, ...params: unknown[]): Promise<Answer> {
    const response = await this.#fetch("/rpc", post({ jsonrpc: "2.0", id: 1, method, params }));
    const answer = (await response.json()) as { result: Answer; error?: { message: string; data?: { code?: string } } };
    if (answer.error) throw new GatewayError(answer.error.data?.code ?? "rpc", answer.error.message);
    return answer.result;
  }

  async #json<Answer>(path: string, body?: unknown): Promise<Answer> {
    const response = await this.#fetch(path, body === undefined ? {} : post(body));
    return (await response.json()) as Answer;
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.#base + path, init);
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new GatewayError("unreachable", "the gateway does not answer", undefined, { cause });
    }
    if (response.ok) return response;
    throw await refusal(response);
  }
}

function post(body: unknown, init: RequestInit = {}): RequestInit {
  return { ...init, ...postJson(JSON.stringify(body)) };
}

function postJson(body: string | Uint8Array<ArrayBuffer>): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body };
}

async function refusal(response: Response): Promise<GatewayError> {
  const text = await response.text().catch(() => "");
  try {
    const { code, message, retryMs } = JSON.parse(text) as { code: string; message: string; retryMs?: number };
    if (typeof code === "string") return new GatewayError(code, message, retryMs);
  } catch {
    // Not from the gateway itself, but from something in front of it.
  }
  return new GatewayError(response.status >= 500 ? "unreachable" : "http", `HTTP ${response.status}`);
}
