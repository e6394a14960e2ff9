// Proves the whole pipe from JavaScript to Rust: the built module alone first, then through its TypeScript twin.
//
// Needs src/chainflix.wasm, which `xtask/src/wasm.rs` builds. Run: node --test web/packages/core/test/
//
// The twin is TypeScript of several files, so its tests need vite, and are skipped without it.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const wasmUrl = new URL("../src/chainflix.wasm", import.meta.url);
const twinUrl = new URL("../src/wasm.ts", import.meta.url);
const bytes = await readFile(wasmUrl);
const module = await WebAssembly.compile(bytes);

// One whole view as native code has it; see crates/viewer/tests/vectors.rs.
const view = JSON.parse(await readFile(new URL("../../../../vectors/viewing.json", import.meta.url), "utf8"));
const fromHex = (text) => new Uint8Array(Buffer.from(text.slice(2), "hex"));

/** The convention of crates/browser/src/abi.rs in its barest form. */
function bareCore() {
  const { memory, alloc, dealloc, call } = new WebAssembly.Instance(module, {}).exports;
  const take = (packed) => {
    const bits = BigInt.asUintN(64, packed);
    const address = Number(bits >> 32n);
    const reply = new Uint8Array(memory.buffer, address, Number(bits & 0xffff_ffffn)).slice();
    assert.equal(dealloc(address), 1);
    return { status: reply[0], payload: reply.subarray(1) };
  };
  return {
    alloc,
    dealloc,
    callAt: (operation, address, length) => take(call(operation, 0, address, length)),
    call(operation, input = new Uint8Array(0)) {
      if (input.length === 0) return take(call(operation, 0, 0, 0));
      const address = alloc(input.length);
      new Uint8Array(memory.buffer).set(input, address);
      const reply = take(call(operation, 0, address, input.length));
      assert.equal(dealloc(address), 1);
      return reply;
    },
  };
}

const refusal = ({ status, payload }) => {
  assert.equal(status, 1);
  return JSON.parse(Buffer.from(payload).toString()).code;
};

test("the module imports nothing", () => {
  assert.deepEqual(WebAssembly.Module.imports(module), []);
});

test("wrong calls are refused, not trapped", () => {
  const core = bareCore();
  assert.equal(refusal(core.call(0xffff)), "unknown-operation");
  assert.equal(refusal(core.call(0x0301, Buffer.from("{"))), "malformed-input");
  assert.equal(refusal(core.callAt(0x0001, 0xffff_fff0, 64)), "unknown-buffer");
  const address = core.alloc(16);
  assert.equal(refusal(core.callAt(0x0001, address, 17)), "beyond-buffer");
  assert.equal(core.dealloc(address), 1);
  assert.equal(core.dealloc(address), 0);
  assert.equal(core.alloc(0), 0);
  assert.equal(core.alloc(0xffff_ffff), 0);
});

/** Imports the TypeScript twin, or says what is missing. */
async function loadTwin() {
  const vite = await import("vite").catch(() => undefined);
  if (!vite) return { skip: "needs vite" };
  const lib = { entry: fileURLToPath(twinUrl), formats: ["es"] };
  const [{ output }] = await vite.build({ configFile: false, logLevel: "silent", build: { write: false, minify: false, lib } });
  const folder = await mkdtemp(join(tmpdir(), "chainflix-twin-"));
  after(() => rm(folder, { recursive: true }));
  const file = join(folder, "twin.mjs");
  await writeFile(file, output[0].code);
  return { twin: await import(pathToFileURL(file)) };
}

const { twin, skip = false } = await loadTwin();

test("a view has the bytes that native code gives it", { skip }, async () => {
  const core = await twin.loadCore(bytes);
  const viewer = core.viewerOpen({ secret: fromHex(view.secret), genesis: view.genesis });
  assert.equal(viewer.account, view.account);
  const film = core.filmOpen(viewer.handle, view.magnet, fromHex(view.manifest));
  assert.equal(film.manifest.title, "사이 film");
  const cell = core.cellOpen(film.handle, 0);
  assert.deepEqual(core.grantRequest(cell, { excluded: view.excluded, nowMs: view.nowMs }), view.grantRequest);

  core.deliveryBegin(cell, view.grant);
  const stream = fromHex(view.stream);
  for (let at = 0; at < stream.length; at += 999) await core.deliveryPush(cell, stream.subarray(at, at + 999));
  assert.deepEqual(core.deliveryEnd(cell), view.receipt);

  const request = { grantId: view.grant.body.id, supersedes: view.supersedes, layers: view.layers, nowMs: view.nowMs + 100 };
  assert.deepEqual(core.playRequest(cell, request), view.playRequest);
  const { code } = core.playBegin(cell, view.playAnswer);
  assert.deepEqual(code, view.playAnswer.outcome.detail.body);
  const opened = await core.read(cell, 0, code.size);
  assert.deepEqual(await core.read(cell, 12_345, 3), opened.slice(12_345, 12_348));
  assert.deepEqual([...opened.subarray(0, 300)], Array.from({ length: 300 }, (_, index) => index % 251));

  for (const [folded, { positionMs, ...head }] of view.points.entries()) {
    assert.deepEqual(core.advance(cell, positionMs, head), { folded: folded + 1, points: 6 });
  }
  assert.equal(core.mine(cell, 0, 1 << 18), view.nonce);
  assert.deepEqual(core.prove(cell, view.slot, view.nonce), view.proof);
  const said = (bytes) => JSON.parse(Buffer.from(bytes).toString());
  assert.deepEqual(said(core.opening(cell)), view.opening);
  assert.deepEqual(said(core.evidence(cell, view.receipt.body, view.disputedChunk)), view.evidence);
});

test("a lie is refused, and what came before it stays", { skip }, async () => {
  const core = await twin.loadCore(bytes);
  const viewer = core.viewerOpen({ secret: fromHex(view.secret), genesis: view.genesis });
  const film = core.filmOpen(viewer.handle, view.magnet, fromHex(view.manifest));
  const cell = core.cellOpen(film.handle, 0);
  core.deliveryBegin(cell, view.grant);
  const lie = fromHex(view.stream);
  lie[lie.length - 1] ^= 1;
  await assert.rejects(core.deliveryPush(cell, lie), { name: "CoreError", code: "corrupt" });
  assert.equal(core.deliveryEnd(cell).body.end, 16_384);
  await assert.rejects(core.deliveryPush(cell, lie), { code: "no-delivery" });
  assert.equal(core.grantRequest(cell, { excluded: [], nowMs: 1 }).body.fromByte, 16_384);
  const other = structuredClone(view.grant);
  other.body.viewer = view.grant.body.provider;
  assert.throws(() => core.deliveryBegin(cell, other), { code: "not-a-validator" });
  assert.throws(() => core.filmOpen(viewer.handle, view.grant.body.cell, fromHex(view.manifest)), { code: "manifest" });
  core.close(cell);
  assert.throws(() => core.deliveryEnd(cell), { code: "unknown-handle" });
});

test("the twin takes a response, and refuses a failed one", { skip }, async () => {
  const typed = { headers: { "content-type": "application/wasm" } };
  assert.equal((await twin.loadCore(new Response(bytes, typed))).describe().abi, twin.ABI_VERSION);
  assert.equal((await twin.loadCore(new Response(bytes))).describe().abi, twin.ABI_VERSION);
  await assert.rejects(twin.loadCore(new Response("", { status: 404 })), { code: "no-core" });
});
