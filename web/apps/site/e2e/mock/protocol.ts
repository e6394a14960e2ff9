// A stand-in for the Rust core, for page tests only: the same calls, no cryptography. Never part of a real build.
//
// Manifest and nouns are plain JSON, "verified" means received, and the nonce is always 7. It speaks only to
// `gateway.mjs` beside it.

import type { Manifest, NetworkGenesis, PlayCode } from "@chainflix/core/nouns";
import type { Protocol } from "@chainflix/core/protocol";
import { CoreError } from "@chainflix/core/wasm";
import { privateKeyToAddress, toHex } from "./address";

interface MockCell {
  film: { magnet: string; manifest: Manifest; account: string };
  index: number;
  bytes: Uint8Array<ArrayBuffer>;
  end: number;
  delivery: { grant: string; start: number } | null;
  keyed: boolean;
  code: PlayCode | null;
  folded: number;
}

export async function loadProtocol(): Promise<Protocol> {
  const objects = new Map<number, unknown>();
  let points = 6;
  const keep = (object: unknown) => {
    objects.set(objects.size + 1, object);
    return objects.size;
  };
  const get = <T>(handle: number) => objects.get(handle) as T;
  const cellOf = (handle: number) => get<MockCell>(handle);
  const signed = (body: object) => ({ body: { ...body }, signature: "0x" as const });

  return {
    viewerOpen({ secret, genesis }: { secret: Uint8Array; genesis: NetworkGenesis }) {
      points = genesis.params.playPoints;
      const account = privateKeyToAddress(toHex(secret));
      return { handle: keep({ account }), account };
    },
    filmOpen(viewer, magnet, bytes) {
      const manifest = JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
      return { handle: keep({ magnet, manifest, account: get<{ account: string }>(viewer).account }), manifest };
    },
    cellOpen(film, index) {
      const opened = get<MockCell["film"]>(film);
      const size = opened.manifest.cells[index]?.size ?? 0;
      const cell: MockCell = { film: opened, index, bytes: new Uint8Array(size), end: 0, delivery: null, keyed: false, code: null, folded: 0 };
      return keep(cell);
    },
    grantRequest(handle, { excluded, nowMs }) {
      const { film, index, end } = cellOf(handle);
      return signed({ account: film.account, magnet: film.magnet, cellIndex: index, fromByte: end, excluded, requestedMs: nowMs });
    },
    deliveryBegin(handle, { body }) {
      cellOf(handle).delivery = { grant: body.id, start: body.fromByte };
    },
    async deliveryPush(handle, bytes) {
      const cell = cellOf(handle);
      if (cell.end + bytes.length > cell.bytes.length) throw new CoreError("corrupt", "too many bytes");
      cell.bytes.set(bytes, cell.end);
      cell.end += bytes.length;
      return { verifiedEnd: cell.end, complete: cell.end === cell.bytes.length };
    },
    deliveryEnd(handle) {
      const cell = cellOf(handle);
      const { delivery } = cell;
      cell.delivery = null;
      return delivery && cell.end > delivery.start ? signed({ grant: delivery.grant, start: delivery.start, end: cell.end }) : null;
    },
    playRequest(handle, { grantId, supersedes, nowMs }) {
      const { film, index } = cellOf(handle);
      return signed({ account: film.account, magnet: film.magnet, cellIndex: index, grant: grantId, supersedes, requestedMs: nowMs });
    },
    playBegin(handle, { outcome }) {
      const cell = cellOf(handle);
      cell.keyed = true;
      cell.folded = 0;
      cell.code = outcome.kind === "mining" ? outcome.detail.body : null;
      return outcome.kind === "mining" ? { mining: true, code: outcome.detail.body } : { mining: false, unpaid: outcome.detail };
    },
    async read(handle, offset, length) {
      const { keyed, end, bytes } = cellOf(handle);
      if (!keyed || offset + length > end) throw new CoreError("not-arrived", "these bytes have not arrived");
      return bytes.slice(offset, offset + length);
    },
    advance(handle, positionMs) {
      const cell = cellOf(handle);
      const playMs = cell.code?.playMs ?? Infinity;
      while (cell.folded < points && positionMs >= (playMs * (2 * cell.folded + 1)) / (2 * points)) cell.folded += 1;
      return { folded: cell.folded, points };
    },
    mine: (_cell, from) => (from === 0 ? null : 7),
    prove(handle, slot, nonce) {
      const { code, folded } = cellOf(handle);
      return signed({ play: code?.id, slot, nonce, folded });
    },
    opening(handle) {
      const { code, folded } = cellOf(handle);
      return new TextEncoder().encode(JSON.stringify(signed({ play: code?.id, chunks: folded })));
    },
    evidence() {
      throw new CoreError("no-delivery", "nobody disputes anything here");
    },
    close: (handle) => void objects.set(handle, undefined),
  };
}
