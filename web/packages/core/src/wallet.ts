// The viewer's wallet: made on the first visit, kept encrypted in the browser, opened for the worker.
//
// ```text
//   first visit ─▶ create (device key) ─▶ backup words shown ─▶ markBackedUp
//   later       ─▶ load ─┬─ device ─────────────▶ open
//                        └─ passphrase ─ typed ─▶ open
//   restore(words) replaces what was there; protect(passphrase) seals the same words anew
// ```
//
// Words and secrets leave this module only for the caller that asked, and are never stored or logged in the clear.

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { deriveAccount, type DerivedAccount, newWords, tidyWords } from "./mnemonic";
import type { AccountAddress } from "./nouns";
import { openWords, type SealedWords, sealWords } from "./vault";

export interface StoredWallet {
  readonly address: AccountAddress;
  readonly sealed: SealedWords;
  readonly backedUp: boolean;
}

interface WalletSchema extends DBSchema {
  wallet: { key: "main"; value: StoredWallet };
}

/** Where the wallet is kept. */
export interface WalletStore {
  get(): Promise<StoredWallet | undefined>;
  put(wallet: StoredWallet): Promise<void>;
}

/** The browser's IndexedDB. */
export function browserStore(): WalletStore {
  let database: Promise<IDBPDatabase<WalletSchema>> | undefined;
  const open = () => (database ??= openDB<WalletSchema>("chainflix", 1, { upgrade: (db) => void db.createObjectStore("wallet") }));
  return {
    get: async () => (await open()).get("wallet", "main"),
    put: async (wallet) => void (await (await open()).put("wallet", wallet, "main")),
  };
}

export class Wallet {
  readonly #store: WalletStore;

  constructor(store: WalletStore) {
    this.#store = store;
  }

  load(): Promise<StoredWallet | undefined> {
    return this.#store.get();
  }

  /** Makes a wallet with new words under a device key. */
  create(): Promise<StoredWallet> {
    return this.#keep(newWords(), { backedUp: false });
  }

  /** Puts the wallet of `words` in the place of the one that is there. Throws when they are not a BIP-39 phrase. */
  restore(words: string, passphrase?: string): Promise<StoredWallet> {
    return this.#keep(tidyWords(words), { backedUp: true, passphrase });
  }

  /** Seals the words under `passphrase` from now on. */
  async protect(wallet: StoredWallet, passphrase: string, current?: string): Promise<StoredWallet> {
    return this.#keep(await openWords(wallet.sealed, current), { backedUp: wallet.backedUp, passphrase });
  }

  async markBackedUp(wallet: StoredWallet): Promise<StoredWallet> {
    const kept = { ...wallet, backedUp: true };
    await this.#store.put(kept);
    return kept;
  }

  /** The account and its secret, for the worker and for signing a transfer. */
  async open(wallet: StoredWallet, passphrase?: string): Promise<DerivedAccount> {
    return deriveAccount(await this.words(wallet, passphrase));
  }

  /** The backup words, to be written down. */
  words(wallet: StoredWallet, passphrase?: string): Promise<string> {
    return openWords(wallet.sealed, passphrase);
  }

  async #keep(words: string, kept: { backedUp: boolean; passphrase?: string | undefined }): Promise<StoredWallet> {
    const { address, secret } = deriveAccount(words);
    secret.fill(0);
    const wallet = { address, sealed: await sealWords(words, kept.passphrase), backedUp: kept.backedUp };
    await this.#store.put(wallet);
    return wallet;
  }
}
