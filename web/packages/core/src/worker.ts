// The protocol worker: owns the Rust core, follows the network, and plays one film at a time for one account.
//
// ```text
//   page ──commands──▶ Worker ──▶ Film (session + core + gateway) ── proved ──▶ Settler: votes, audits, awards
//        ◀──reports───   └──────▶ event stream: heads, view blocks, awards
// ```
//
// Commands that come before the core is loaded and the network is known wait for both. Nothing here ticks: it wakes for
// commands, answers, blocks and deadlines. It *sleeps*, without an event stream and without a timer, while the page is
// hidden, no film plays and every proved play is settled.

import { GATEWAY_BACKOFF, waitMs } from "./backoff";
import { followEvents } from "./events";
import { Film, type FilmContext } from "./film";
import { Gateway, GatewayError, type NetworkState } from "./gateway";
import { loadProtocol } from "./load-protocol";
import type { Command, Report } from "./messages";
import type { AccountAddress, BlockHead } from "./nouns";
import type { Protocol, ViewerHandle } from "./protocol";
import { browserOpenings } from "./opening-store";
import { Settler } from "./settler";
import { CoreError } from "./wasm";

const gateway = new Gateway();
const report = (message: Report): void => {
  const transfer = message.kind === "fragment" && message.bytes ? [message.bytes] : [];
  self.postMessage(message, { transfer });
};

class ViewerWorker {
  readonly #core: Protocol;
  readonly #network: NetworkState;
  /** What to add to our clock to get the network's. */
  readonly #offsetMs: number;
  #head: BlockHead;
  #viewer: { handle: ViewerHandle; account: AccountAddress } | undefined;
  readonly #settler: Settler;
  #film: Film | undefined;
  #opening = -1;
  #shown = true;
  /** Stops the event stream; `undefined` while this sleeps. */
  #unfollow: (() => void) | undefined;

  constructor(core: Protocol, network: NetworkState, offsetMs: number) {
    this.#core = core;
    this.#network = network;
    this.#offsetMs = offsetMs;
    this.#head = network.head;
    this.#settler = new Settler({
      gateway,
      store: browserOpenings(),
      params: network.genesis.params,
      nowMs: this.#nowMs,
      told: (play, status) => {
        this.#film?.handle({ kind: "settled", play, settlement: status });
        report({ kind: "settled", play, status });
      },
      changed: this.#tend,
    });
    report({ kind: "network", genesis: network.genesis, viewBlocks: network.viewBlocks });
    this.#settler.handle({ kind: "head", number: network.head.number });
    void this.#settler.resume();
  }

  async take(command: Command): Promise<void> {
    switch (command.kind) {
      case "account":
        return this.#enter(command.secret);
      case "shown":
        return this.#show(command.shown);
      case "open":
        return this.#open(command);
      case "close":
        return this.#close(command.opening);
      case "clock":
        return this.#of(command)?.handle({ kind: "clock", reading: command.reading });
      case "seek":
        return this.#of(command)?.handle({ kind: "seek", positionMs: command.positionMs });
      case "read":
        return this.#of(command)?.read(command.cell, command.fragment);
    }
  }

  #show(shown: boolean): void {
    this.#shown = shown;
    this.#film?.handle({ kind: "shown", shown });
    this.#tend();
  }

  /** Follows the network's events exactly as long as somebody needs them. */
  readonly #tend = (): void => {
    const needed = this.#shown || this.#film?.isBusy || !this.#settler.isIdle;
    if (needed) this.#unfollow ??= this.#follow();
    else {
      this.#unfollow?.();
      this.#unfollow = undefined;
    }
  };

  #follow(): () => void {
    return followEvents({
      head: (head) => {
        this.#head = head;
        this.#settler.handle({ kind: "head", number: head.number });
        report({ kind: "head", head });
      },
      viewBlock: (viewBlock) => {
        this.#settler.handle({ kind: "viewBlock", viewers: viewBlock.viewers });
        report({ kind: "viewBlock", viewBlock });
      },
      award: (award) => {
        this.#settler.handle({ kind: "award", viewBlock: award.viewBlock });
        report({ kind: "award", award });
      },
      connected: (connected) => {
        if (connected) this.#settler.handle({ kind: "connected" });
        report({ kind: "connected", connected });
      },
    });
  }

  readonly #nowMs = (): number => Math.round(Date.now() + this.#offsetMs);

  #enter(secret: Uint8Array): void {
    this.#close(this.#opening);
    if (this.#viewer) this.#core.close(this.#viewer.handle);
    const { handle, account } = this.#core.viewerOpen({ secret, genesis: this.#network.genesis });
    this.#viewer = { handle, account: account.toLowerCase() as AccountAddress };
    secret.fill(0);
    report({ kind: "account", account: this.#viewer.account });
  }

  async #open({ opening, magnet, givenUp }: Command & { kind: "open" }): Promise<void> {
    this.#close(this.#opening);
    this.#opening = opening;
    if (!this.#viewer) return report({ kind: "stopped", opening, code: "no-account", message: "no account is open" });
    try {
      const film = await Film.open(this.#context(this.#viewer), opening, magnet, givenUp);
      if (this.#opening !== opening) return film.close();
      this.#film = film;
      film.handle({ kind: "shown", shown: this.#shown });
    } catch (error) {
      const { code, message } = asCoded(error);
      report({ kind: "stopped", opening, code, message });
    }
  }

  #close(opening: number): void {
    if (opening !== this.#opening) return;
    this.#film?.close();
    this.#film = undefined;
    this.#opening = -1;
    this.#tend();
  }

  #of({ opening }: { opening: number }): Film | undefined {
    return this.#film?.opening === opening ? this.#film : undefined;
  }

  #context({ handle, account }: { handle: ViewerHandle; account: AccountAddress }): FilmContext {
    return {
      core: this.#core,
      gateway,
      genesis: this.#network.genesis,
      viewer: handle,
      nowMs: this.#nowMs,
      head: () => ({ number: this.#head.number, hash: this.#head.hash }),
      report,
      proved: (play, opening) => this.#settler.keep({ play, account, provedAtMs: this.#nowMs(), opening }),
      changed: this.#tend,
    };
  }
}

function asCoded(error: unknown): { code: string; message: string } {
  if (error instanceof CoreError || error instanceof GatewayError) return error;
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}

/** The network's state and clock, as soon as the gateway answers. */
async function meetNetwork(): Promise<{ network: NetworkState; offsetMs: number }> {
  for (let tries = 1; ; tries += 1) {
    try {
      const askedAtMs = Date.now();
      const network = await gateway.network();
      return { network, offsetMs: network.nowMs - (askedAtMs + Date.now()) / 2 };
    } catch {
      report({ kind: "connected", connected: false });
      await new Promise((resolve) => setTimeout(resolve, waitMs(GATEWAY_BACKOFF, tries, Math.random())));
    }
  }
}

async function start(): Promise<ViewerWorker> {
  const [core, { network, offsetMs }] = await Promise.all([loadProtocol(), meetNetwork()]);
  return new ViewerWorker(core, network, offsetMs);
}

const started = start();
started.catch(fail);
self.addEventListener("message", ({ data }: MessageEvent<Command>) => {
  started.then((worker) => worker.take(data).catch(fail), () => undefined);
});

function fail(error: unknown): void {
  const { code, message } = asCoded(error);
  report({ kind: "failed", code, message });
}
