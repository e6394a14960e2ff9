// The page's shared state: worker, wallet, network, balance and messages.
//
// ```text
//   components ── calls ──▶ App ── commands ──▶ worker
//              ◀─ $state ──     ◀── reports ───
// ```

import type { HeadEvent, ViewBlockEvent } from "@chainflix/core/events";
import { type AccountState, Gateway } from "@chainflix/core/gateway";
import type { Report } from "@chainflix/core/messages";
import type { Magnet, NetworkGenesis, PlayId } from "@chainflix/core/nouns";
import { WorkerLink } from "@chainflix/core/worker-link";
import { FilmView } from "./film-view.svelte";
import { WalletState } from "./wallet-state.svelte";

export interface Toast {
  readonly id: number;
  readonly viewBlock: number;
  readonly plays: number;
  /** What this account got; `undefined` when the gateway did not say. */
  readonly gwei: bigint | undefined;
}

const TOAST_MS = 12_000;
const UNFINISHED_KEY = "chainflix.unfinished-play";

class App {
  readonly gateway = new Gateway();
  readonly wallet = new WalletState((secret) => this.#worker.send({ kind: "account", secret }));
  genesis = $state.raw<NetworkGenesis | undefined>();
  head = $state.raw<HeadEvent | undefined>();
  viewBlocks = $state(0);
  connected = $state<boolean | undefined>();
  account = $state.raw<AccountState | undefined>();
  toasts = $state.raw<readonly Toast[]>([]);
  failure = $state.raw<{ code: string; message: string } | undefined>();
  film = $state.raw<FilmView | undefined>();
  readonly #worker = new WorkerLink();
  #toasts = 0;

  async start(): Promise<void> {
    this.#worker.listen((report) => this.#take(report));
    await this.wallet.start();
  }

  openFilm(magnet: Magnet): FilmView {
    this.closeFilm();
    const film = new FilmView(magnet, (command) => this.#worker.send(command), this.#unfinishedPlay(), (play) => this.#rememberPlay(play));
    this.film = film;
    return film;
  }

  closeFilm(): void {
    this.film?.close();
    this.film = undefined;
  }

  async refreshAccount(): Promise<void> {
    const { address } = this.wallet;
    if (!address) return;
    try {
      const account = await this.gateway.account(address);
      if (address === this.wallet.address) this.account = account;
    } catch {
      // The connection light says it; the next view block asks again.
    }
  }

  dismiss(toast: Toast): void {
    this.toasts = this.toasts.filter(({ id }) => id !== toast.id);
  }

  #take(report: Report): void {
    switch (report.kind) {
      case "network":
        this.genesis = report.genesis;
        this.viewBlocks = report.viewBlocks;
        return;
      case "account":
        return void this.refreshAccount();
      case "head":
        this.head = report.head;
        return;
      case "viewBlock":
        return void this.#takeViewBlock(report.viewBlock);
      case "connected":
        this.connected = report.connected;
        return;
      case "failed":
        this.failure = report;
        return;
      default:
        return this.film?.take(report);
    }
  }

  async #takeViewBlock(made: ViewBlockEvent): Promise<void> {
    this.viewBlocks = Math.max(this.viewBlocks, made.viewBlock);
    const { address } = this.wallet;
    if (!made.viewers.some((viewer) => viewer.toLowerCase() === address)) return;
    const [gwei] = await Promise.all([this.#award(made.viewBlock, address), this.refreshAccount()]);
    const toast = { id: this.#toasts++, viewBlock: made.viewBlock, plays: made.plays, gwei };
    this.toasts = [...this.toasts.slice(-2), toast];
    setTimeout(() => this.dismiss(toast), TOAST_MS);
  }

  /** What `address` got of a view block, whatever its roles in it. */
  async #award(viewBlock: number, address: string | undefined): Promise<bigint | undefined> {
    try {
      const made = await this.gateway.rpc<{ awarded: { account: string; gwei: string | number }[] }>("cfx_viewBlock", viewBlock);
      const mine = made.awarded.filter(({ account }) => account.toLowerCase() === address);
      return mine.reduce((sum, { gwei }) => sum + BigInt(gwei), 0n);
    } catch {
      return undefined;
    }
  }

  /** A reload in the middle of a cell leaves a play behind that would stand in the way of the next. */
  #unfinishedPlay(): PlayId | null {
    const [address, play] = (sessionStorage.getItem(UNFINISHED_KEY) ?? "").split(" ");
    return play && address === this.wallet.address ? (play as PlayId) : null;
  }

  #rememberPlay(play: PlayId | null): void {
    if (play) sessionStorage.setItem(UNFINISHED_KEY, `${this.wallet.address} ${play}`);
    else sessionStorage.removeItem(UNFINISHED_KEY);
  }
}

export const app = new App();
