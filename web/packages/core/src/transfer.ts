// Sends CFX: a plain Ethereum transfer, signed here and handed to a validator through the gateway.

import { createPublicClient, createWalletClient, defineChain, http, isAddress, parseEther, type Hash } from "viem";
import { mnemonicToAccount } from "viem/accounts";

export { isAddress, parseEther };

/** Sends `valueWei` to `to` and waits until it is in a block; answers the transaction's hash. */
export async function sendCfx(words: string, chainId: number, to: `0x${string}`, valueWei: bigint): Promise<Hash> {
  const chain = defineChain({
    id: chainId,
    name: "Chainflix",
    nativeCurrency: { name: "Chainflix", symbol: "CFX", decimals: 18 },
    rpcUrls: { default: { http: ["/rpc"] } },
  });
  const transport = http("/rpc");
  const account = mnemonicToAccount(words, { path: "m/44'/60'/0'/0/0" });
  const hash = await createWalletClient({ account, chain, transport }).sendTransaction({ to, value: valueWei });
  const receipt = await createPublicClient({ chain, transport, pollingInterval: 1_000 }).waitForTransactionReceipt({ hash, timeout: 60_000 });
  if (receipt.status !== "success") throw new Error(`transaction ${hash} failed`);
  return hash;
}
