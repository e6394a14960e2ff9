// The wallet as the page sees it: made silently on the first visit, locked when a passphrase protects it.

import type { StoredWallet, Wallet } from "@chainflix/core/wallet";
import type { AccountAddress } from "@chainflix/core/nouns";

export type WalletStatus = "loading" | "locked" | "open" | "insecure";

export class WalletState {
  status = $state<WalletStatus>("loading");
  stored = $state.raw<StoredWallet | undefined>();
  readonly address: AccountAddress | undefined = $derived(this.stored?.address);
  /** Of an open wallet that a passphrase protects: what the worker has already, and a transfer needs again. */
  #passphrase: string | undefined;
  #wallet: Wallet | undefined;
  readonly #opened: (secret: Uint8Array<ArrayBuffer>) => void;

  /** @param opened takes the account's secret whenever a wallet is opened. */
  constructor(opened: (secret: Uint8Array<ArrayBuffer>) => void) {
    this.#opened = opened;
  }

  async start(): Promise<void> {
    if (!isSecureContext) {
      this.status = "insecure";
      return;
    }
    const { browserStore, Wallet } = await import("@chainflix/core/wallet");
    this.#wallet = new Wallet(browserStore());
    this.stored = (await this.#wallet.load()) ?? (await this.#wallet.create());
    if (this.stored.sealed.protection === "passphrase") this.status = "locked";
    else await this.unlock();
  }

  /** Throws `WrongPassphrase`. */
  async unlock(passphrase?: string): Promise<void> {
    const { wallet, stored } = this.#ready();
    const { secret } = await wallet.open(stored, passphrase);
    this.#passphrase = passphrase;
    this.#opened(secret);
    this.status = "open";
  }

  words(): Promise<string> {
    const { wallet, stored } = this.#ready();
    return wallet.words(stored, this.#passphrase);
  }

  async markBackedUp(): Promise<void> {
    const { wallet, stored } = this.#ready();
    this.stored = await wallet.markBackedUp(stored);
  }

  async protect(passphrase: string): Promise<void> {
    const { wallet, stored } = this.#ready();
    this.stored = await wallet.protect(stored, passphrase, this.#passphrase);
    this.#passphrase = passphrase;
  }

  /** Throws when these are not the words of a wallet. */
  async restore(words: string): Promise<void> {
    this.stored = await this.#ready().wallet.restore(words);
    await this.unlock();
  }

  #ready(): { wallet: Wallet; stored: StoredWallet } {
    if (!this.#wallet || !this.stored) throw new Error("the wallet is not loaded yet");
    return { wallet: this.#wallet, stored: this.stored };
  }
}
