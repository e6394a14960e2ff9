import { expect, test } from "vitest";
import { cfxOfGwei, cfxOfWei, duration, shortHex } from "../src/lib/format";

test("coins are rounded down and never lost in a float", () => {
  expect(cfxOfGwei(27_000_000_000n)).toBe("27");
  expect(cfxOfGwei(1_234_567_899_999n)).toBe("1,234.5678");
  expect(cfxOfGwei(1n, 9)).toBe("0.000000001");
  expect(cfxOfGwei(1n)).toBe("0");
  expect(cfxOfWei(6_000_000_000_000_000_000_000_000_001n)).toBe("6,000,000,000");
});

test("times and names are short", () => {
  expect([0, 59_400, 61_000, 3_723_000].map(duration)).toEqual(["0:00", "0:59", "1:01", "1:02:03"]);
  expect(shortHex("0x0123456789abcdef")).toBe("0x0123…cdef");
  expect(shortHex("0x0123")).toBe("0x0123");
});
