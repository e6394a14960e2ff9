// Backup words and the account they stand for (BIP-39, BIP-32, BIP-44 path m/44'/60'/0'/0/0: what other wallets use).

import { validateMnemonic } from "@scure/bip39";
import { english, generateMnemonic, mnemonicToAccount } from "viem/accounts";
import type { AccountAddress } from "./nouns";

/** Twelve new English words from 128 random bits. */
export function newWords(): string {
  return generateMnemonic(english, 128);
}

/** One space between words, lower case: how people do not type them. */
export function tidyWords(words: string): string {
  return words.trim().toLowerCase().split(/\s+/).join(" ");
}

export interface DerivedAccount {
  readonly address: AccountAddress;
  /** 32 bytes; whoever is done with them wipes them. */
  readonly secret: Uint8Array<ArrayBuffer>;
}

/** The account of `words`; throws when they are not a BIP-39 phrase (a word mistyped, the checksum wrong). */
export function deriveAccount(words: string): DerivedAccount {
  // viem derives from anything that looks like words, and a mistyped phrase is somebody else's, empty wallet.
  if (!validateMnemonic(words, english)) throw new RangeError("these are not the words of a wallet");
  const account = mnemonicToAccount(words, { path: "m/44'/60'/0'/0/0" });
  const secret = account.getHdKey().privateKey;
  if (!secret) throw new Error("the words give no private key");
  return { address: account.address.toLowerCase() as AccountAddress, secret: new Uint8Array(secret) };
}
