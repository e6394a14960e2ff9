// The page's shared state: worker, wallet, network, balance and messages.
//
// ```text
//   components ── calls ──▶ App ── commands ──▶ worker
//              ◀─ $state ──     ◀── reports ───
// ```

import type { AwardEvent, HeadEvent, ViewBlockEvent } from "@chainflix/core/events";
import { type AccountState, Gateway } from "@chainflix/core/gateway";
import type { Report } from "@chainflix/core/messages";
import type { Magnet, NetworkGenesis, PlayId } from "@chainflix/core/nouns";
import { WorkerLink } from "@chainflix/core/worker-link";
import { FilmView } from "./film-view.svelte";
import { History } from "./history.svelte";
import { WalletState } from "./wallet-state.svelte";

export interface Toast {
  readonly id: number;
  readonly viewBlock: number;
  readonly plays: number;
  /** What this account got; `undefined` when the gateway did not say. */
  readonly gwei: bigint | undefined;
}

const TOAST_MS = 12_000;
/** An award follows its view block by a few blocks, or by an audit. */
const EXPECTED_MAX = 32;
const UNFINISHED_KEY = "chainflix.unfinished-play";

class App {
  readonly gateway = new Gateway();
  readonly wallet = new WalletState((secret) => this.#worker.send({ kind: "account", secret }));
  genesis = $state.raw<NetworkGenesis | undefined>();
  head = $state.raw<HeadEvent | undefined>();
  viewBlocks = $state(0);
  connected = $state<boolean | undefined>();
  account = $state.raw<AccountState | undefined>();
  readonly history = new History(this.gateway);
  toasts = $state.raw<readonly Toast[]>([]);
  failure = $state.raw<{ code: string; message: string } | undefined>();
  film = $state.raw<FilmView | undefined>();
  readonly #worker = new WorkerLink();
  /** View blocks with plays of this account that are not awarded yet. */
  readonly #expected = new Map<number, ViewBlockEvent>();
  #toasts = 0;

  async start(): Promise<void> {
    this.#worker.listen((report) => this.#take(report));
    this.#tellShown();
    document.addEventListener("visibilitychange", () => this.#tellShown());
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
      if (address !== this.wallet.address) return;
      this.account = account;
      this.history.refresh(account);
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
        return this.#takeViewBlock(report.viewBlock);
      case "award":
        return void this.#takeAward(report.award);
      case "settled":
        return void this.refreshAccount();
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

  /** A hidden page that plays nothing lets the worker sleep; a page that is back wants to know what it missed. */
  #tellShown(): void {
    const shown = document.visibilityState === "visible";
    this.#worker.send({ kind: "shown", shown });
    if (shown) void this.refreshAccount();
  }

  #takeViewBlock(made: ViewBlockEvent): void {
    this.viewBlocks = Math.max(this.viewBlocks, made.viewBlock);
    const { address } = this.wallet;
    if (!made.viewers.some((viewer) => viewer.toLowerCase() === address)) return;
    this.#expected.set(made.viewBlock, made);
    if (this.#expected.size > EXPECTED_MAX) this.#expected.delete(Math.min(...this.#expected.keys()));
    void this.refreshAccount();
  }

  async #takeAward({ viewBlock }: AwardEvent): Promise<void> {
    const made = this.#expected.get(viewBlock);
    if (!made) return;
    this.#expected.delete(viewBlock);
    const [gwei] = await Promise.all([this.#award(viewBlock, this.wallet.address), this.refreshAccount()]);
    // The only play of it may have been void.
    if (gwei === 0n) return;
    const toast = { id: this.#toasts++, viewBlock, plays: made.plays, gwei };
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
