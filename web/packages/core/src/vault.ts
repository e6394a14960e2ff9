// Encrypts the backup words for the browser's own storage: AES-256-GCM under one of two keys.
//
// | protection | key | protects against |
// |---|---|---|
// | passphrase | PBKDF2-SHA-256 of what the user types | anybody who copies the browser's files |
// | device | made here, not extractable, kept by the browser | scripts that read storage, not somebody who uses this browser |
//
// The device key is what a first visit gets, so that pressing play is all; the wallet page says what it is worth.

/** OWASP's password storage recommendation for PBKDF2 with SHA-256 (2023). */
const PBKDF2_ITERATIONS = 600_000;
const SALT_BYTES = 16;
/** NIST SP 800-38D: 96 bits. */
const NONCE_BYTES = 12;

export type SealedWords =
  | { readonly protection: "device"; readonly key: CryptoKey; readonly nonce: Bytes; readonly ciphertext: Bytes }
  | { readonly protection: "passphrase"; readonly salt: Bytes; readonly nonce: Bytes; readonly ciphertext: Bytes };

type Bytes = Uint8Array<ArrayBuffer>;

/** The passphrase is not the one that the words were sealed with. */
export class WrongPassphrase extends Error {
  constructor(options?: ErrorOptions) {
    super("the passphrase is wrong", options);
    this.name = "WrongPassphrase";
  }
}

/** Seals `words` under `passphrase`, or under a new device key when there is none. */
export async function sealWords(words: string, passphrase?: string): Promise<SealedWords> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  if (passphrase === undefined) {
    const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    return { protection: "device", key, nonce, ciphertext: await encrypt(key, nonce, words) };
  }
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const key = await passphraseKey(passphrase, salt);
  return { protection: "passphrase", salt, nonce, ciphertext: await encrypt(key, nonce, words) };
}

/** The words; throws {@link WrongPassphrase}. */
export async function openWords(sealed: SealedWords, passphrase = ""): Promise<string> {
  const key = sealed.protection === "device" ? sealed.key : await passphraseKey(passphrase, sealed.salt);
  try {
    const words = await crypto.subtle.decrypt({ name: "AES-GCM", iv: sealed.nonce }, key, sealed.ciphertext);
    return new TextDecoder().decode(words);
  } catch (cause) {
    throw new WrongPassphrase({ cause });
  }
}

async function encrypt(key: CryptoKey, nonce: Bytes, words: string): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, new TextEncoder().encode(words)));
}

async function passphraseKey(passphrase: string, salt: Bytes): Promise<CryptoKey> {
  // Composed and decomposed Hangul or accents are the same passphrase.
  const typed = new TextEncoder().encode(passphrase.normalize("NFKC"));
  const material = await crypto.subtle.importKey("raw", typed, "PBKDF2", false, ["deriveKey"]);
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt, iterations: PBKDF2_ITERATIONS };
  return crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}
