// Numbers and names as people read them. Money is integers up to the last step.

const GWEI_PER_CFX = 1_000_000_000n;
const WEI_PER_GWEI = 1_000_000_000n;

/** Gwei as CFX with at most `digits` decimals, rounded down: never more than there is. */
export function cfxOfGwei(gwei: bigint, digits = 4): string {
  const whole = gwei / GWEI_PER_CFX;
  const decimals = (gwei % GWEI_PER_CFX).toString().padStart(9, "0").slice(0, digits).replace(/0+$/, "");
  return `${whole.toLocaleString("en-US")}${decimals && "."}${decimals}`;
}

/** Wei as CFX, see {@link cfxOfGwei}. */
export function cfxOfWei(wei: bigint, digits = 4): string {
  return cfxOfGwei(wei / WEI_PER_GWEI, digits);
}

/** `1:02:03` or `2:03`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Enough of an address to tell two apart. */
export function shortHex(hex: string, digits = 4): string {
  return hex.length <= 2 + 2 * digits ? hex : `${hex.slice(0, 2 + digits)}…${hex.slice(-digits)}`;
}

export function bytesPerSecond(value: number): string {
  if (value >= 1_000_000) return `${(value / 1_000_000).toFixed(1)} MB/s`;
  return `${Math.round(value / 1_000)} kB/s`;
}

/** Two hues out of a hash: the same film has the same colours everywhere. */
export function huesOf(hex: string): [number, number] {
  const byte = (at: number) => Number.parseInt(hex.slice(2 + 2 * at, 4 + 2 * at), 16) || 0;
  const first = Math.round((byte(0) / 256) * 360);
  return [first, (first + 40 + Math.round((byte(1) / 256) * 80)) % 360];
}
