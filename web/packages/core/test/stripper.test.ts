import { expect, test } from "vitest";
import { blockStart, Layer } from "../src/layer";
import { Stripper } from "../src/stripper";

const CHUNK = 16_384;

/** What `toEqual` takes seconds for. */
const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, index) => byte === b[index]);

/** A layer that adds one to each byte, and remembers where. */
function countingLayer() {
  const offsets: number[] = [];
  const apply = async (offset: number, bytes: Uint8Array<ArrayBuffer>) => {
    offsets.push(offset);
    return bytes.map((byte) => byte + 1);
  };
  return { layer: { apply } as unknown as Layer, offsets };
}

async function strip(size: number, fromByte: number, cut: number, extra = 0) {
  const list = 32 * Math.ceil(size / CHUNK);
  const stream = Uint8Array.from({ length: list + size - fromByte + extra }, (_, index) => (index * 7) % 251);
  const { layer, offsets } = countingLayer();
  const plain: number[] = [];
  const sizes: number[] = [];
  const sealed: number[] = [];
  const stripper = new Stripper(layer, { size, fromByte }, {
    plain: (bytes) => {
      plain.push(...bytes);
      return { verifiedEnd: fromByte, complete: false };
    },
    stripped: (delivered, opened) => {
      expect(same(opened, delivered.map((byte) => byte + 1))).toBe(true);
      sizes.push(delivered.length);
      sealed.push(...opened);
      return { verifiedEnd: fromByte + sealed.length, complete: fromByte + sealed.length === size };
    },
  });
  let verified = { verifiedEnd: 0, complete: false };
  for (let at = 0; at < stream.length; at += cut) verified = await stripper.push(stream.subarray(at, at + cut));
  expect(same(Uint8Array.from(plain.slice(0, list)), stream.subarray(0, list))).toBe(true);
  return { verified, sizes, sealed, offsets, tooMuch: plain.length - list, body: stream.subarray(list) };
}

test("any cut of the stream gives whole chunks, the last one shorter, and all of them", async () => {
  for (const [size, fromByte, cut] of [[50_000, 0, 999], [50_000, 0, 40_000], [50_000, 2 * CHUNK, 16_384], [2 * CHUNK, 0, 1_000_000], [10, 0, 3]] as const) {
    const { verified, sizes, sealed, offsets, body } = await strip(size, fromByte, cut);
    expect(verified).toEqual({ verifiedEnd: size, complete: true });
    expect(same(Uint8Array.from(sealed), body.map((byte) => byte + 1))).toBe(true);
    expect(sizes.slice(0, -1).every((length) => length % CHUNK === 0)).toBe(true);
    expect(offsets[0]).toBe(fromByte);
  }
});

test("bytes beyond the cell are left to the core to refuse", async () => {
  expect((await strip(50_000, 0, 5_000, 20)).tooMuch).toBeGreaterThan(0);
});

test("a layer is AES-256 in counter mode, wipes its key, and opens any range alone", async () => {
  const key = new Uint8Array(32);
  const layer = new Layer(key);
  // AES-256 of a zero block under a zero key: what `crates/cell/src/keystream.rs` has as well.
  const first = await layer.apply(0, new Uint8Array(16));
  expect([...first.subarray(0, 4)]).toEqual([0xdc, 0x95, 0xc0, 0x78]);
  const secret = new Uint8Array(32).fill(5);
  const other = new Layer(secret);
  expect([...secret]).toEqual(Array(32).fill(0));
  const whole = await other.apply(0, new Uint8Array(50_000));
  expect(await other.apply(blockStart(30_001), new Uint8Array(32))).toEqual(whole.slice(30_000, 30_032));
});
