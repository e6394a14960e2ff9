export { privateKeyToAddress } from "viem/accounts";
export { toHex } from "viem";
