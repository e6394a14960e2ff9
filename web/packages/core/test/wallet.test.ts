import { bytesToHex } from "viem";
import { expect, test } from "vitest";
import { deriveAccount, newWords, tidyWords } from "../src/mnemonic";
import { openWords, sealWords, WrongPassphrase } from "../src/vault";
import { type StoredWallet, Wallet, type WalletStore } from "../src/wallet";

// The phrase and first account that Ethereum's development tools share.
const WORDS = "test test test test test test test test test test test junk";
const ADDRESS = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

function memoryStore(): WalletStore & { kept: StoredWallet | undefined } {
  const store = {
    kept: undefined as StoredWallet | undefined,
    get: async () => store.kept,
    put: async (wallet: StoredWallet) => void (store.kept = wallet),
  };
  return store;
}

test("words give the account that other wallets derive from them", () => {
  const { address, secret } = deriveAccount(WORDS);
  expect(address).toBe(ADDRESS);
  expect(bytesToHex(secret)).toBe("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
});

test("mistyped words are refused, badly spaced ones are not", () => {
  expect(() => deriveAccount(WORDS.replace("junk", "test"))).toThrow();
  expect(() => deriveAccount("hello world")).toThrow();
  expect(deriveAccount(tidyWords(`  ${WORDS.toUpperCase().replaceAll(" ", "\n ")} `)).address).toBe(ADDRESS);
});

test("new words are twelve and never the same", () => {
  expect(newWords().split(" ")).toHaveLength(12);
  expect(newWords()).not.toBe(newWords());
});

test("a passphrase opens what it sealed, in any Unicode form, and nothing else does", async () => {
  const sealed = await sealWords(WORDS, "한강의 겨울");
  expect(JSON.stringify(sealed)).not.toContain("junk");
  expect(await openWords(sealed, "한강의 겨울".normalize("NFD"))).toBe(WORDS);
  await expect(openWords(sealed, "한강의 여름")).rejects.toBeInstanceOf(WrongPassphrase);
});

test("a device key cannot be taken out", async () => {
  const sealed = await sealWords(WORDS);
  expect(sealed.protection).toBe("device");
  if (sealed.protection !== "device") return;
  expect(sealed.key.extractable).toBe(false);
  await expect(crypto.subtle.exportKey("raw", sealed.key)).rejects.toThrow();
  expect(await openWords(sealed)).toBe(WORDS);
});

test("a wallet is made, backed up, protected and restored", async () => {
  const store = memoryStore();
  const wallet = new Wallet(store);
  const made = await wallet.create();
  expect([made.backedUp, made.sealed.protection]).toEqual([false, "device"]);
  expect((await wallet.open(made)).address).toBe(made.address);

  const backedUp = await wallet.markBackedUp(made);
  const locked = await wallet.protect(backedUp, "correct horse");
  expect([locked.backedUp, locked.sealed.protection, locked.address]).toEqual([true, "passphrase", made.address]);
  await expect(wallet.open(locked, "wrong horse")).rejects.toBeInstanceOf(WrongPassphrase);
  expect((await wallet.open(locked, "correct horse")).address).toBe(made.address);

  expect((await wallet.restore(WORDS)).address).toBe(ADDRESS);
  expect(store.kept?.address).toBe(ADDRESS);
  await expect(async () => wallet.restore("not a phrase")).rejects.toThrow();
  expect(store.kept?.address).toBe(ADDRESS);
});
