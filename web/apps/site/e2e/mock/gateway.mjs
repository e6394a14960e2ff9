// A mock gateway with a pretended network of one process, for page tests only. The real test is `play.e2e.mjs`.
//
// It keeps the rules that the page can run into: one paid play at a time, proofs neither early nor late, each cell mined
// once, a view block per slot. It signs and checks nothing.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".wasm": "application/wasm" };
/** What the gateway sends (`crates/gateway/src/server.rs`): the pages must work under it. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; media-src 'self' blob:; " +
  "connect-src 'self'; img-src 'self' data: blob:; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PARAMS = { cellMs: 3_000, slotMs: 1_500, blockMs: 500, playPoints: 6, latePermille: 1_500, overlapMs: 250, earlyToleranceMs: 250 };
const REWARD_GWEI = 90_000_000_000n;
const PROVIDERS = ["aa", "bb", "cc"].map((byte) => ({ account: `0x${byte.repeat(20)}`, nodeId: `0x${byte.repeat(32)}`, boxKey: `0x${byte.repeat(32)}` }));
const VIEWER_PERMILLE = 300n;

const hex = (bytes) => `0x${Array.from({ length: bytes }, () => Math.floor(Math.random() * 256).toString(16).padStart(2, "0")).join("")}`;

class Refused extends Error {
  constructor(code, retryMs) {
    super(`refused: ${code}`);
    Object.assign(this, { code, retryMs });
  }
}

/** Starts on a free port. `lost` is a provider (by number) that breaks off each delivery half-way. */
export async function startMockGateway({ root, films }) {
  const network = new MockNetwork(films);
  const server = createServer((request, response) => {
    answer(network, root, request, response).catch((error) => fail(response, error));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    network.close();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, network, close };
}

class MockNetwork {
  genesisTimeMs = Math.floor(Date.now() / 1_000) * 1_000;
  head = { number: 1, hash: hex(32), timeMs: Date.now() };
  viewBlocks = [];
  grants = new Map();
  plays = new Map();
  mined = new Set();
  listeners = new Set();
  lost = -1;
  takenDown = false;
  requests = [];

  constructor(films) {
    this.films = films;
    const timers = [setInterval(() => this.block(), PARAMS.blockMs), setInterval(() => this.slot(), PARAMS.slotMs)];
    this.close = () => timers.forEach(clearInterval);
  }

  genesis() {
    const validators = Array.from({ length: 4 }, (_, n) => ({ account: `0x${String(n + 1).repeat(40)}`, consensusKey: `0x${String(n + 1).repeat(64)}` }));
    return { chainId: 4408920, genesisTimeMs: this.genesisTimeMs, params: PARAMS, validators };
  }

  tell(event, data) {
    for (const response of this.listeners) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  block() {
    this.head = { number: this.head.number + 1, hash: hex(32), timeMs: Date.now() };
    this.tell("head", this.head);
  }

  slot() {
    const plays = [...this.plays.values()].filter(({ status }) => status === "proved");
    if (plays.length === 0) return;
    const viewBlock = this.viewBlocks.length + 1;
    const slot = Math.floor((Date.now() - this.genesisTimeMs) / PARAMS.slotMs);
    for (const play of plays) {
      Object.assign(play, { status: "accepted", viewBlock, slot });
      this.mined.add(`${play.account}/${play.magnet}/${play.cellIndex}`);
    }
    const each = (REWARD_GWEI * VIEWER_PERMILLE) / 1_000n / BigInt(plays.length);
    const awarded = plays.map(({ account }) => ({ account, gwei: each.toString() }));
    const viewers = [...new Set(plays.map(({ account }) => account))];
    this.viewBlocks.unshift({ viewBlock, slot, block: this.head.number, timeMs: Date.now(), plays: plays.length, rewardGwei: Number(REWARD_GWEI), viewers, awarded });
    this.tell("view-block", { viewBlock, slot, plays: plays.length, viewers, rewardGwei: Number(REWARD_GWEI) });
  }

  film(magnet) {
    const film = this.films.find((found) => found.magnet === magnet);
    if (!film) throw new Refused("unknown-video");
    if (this.takenDown) throw new Refused("taken-down");
    return film;
  }

  grant({ account, magnet, cellIndex, fromByte, excluded }) {
    const { manifest } = this.film(magnet);
    const free = PROVIDERS.filter(({ nodeId }) => !excluded.includes(nodeId));
    if (free.length === 0) throw new Refused("no-source", 200);
    const provider = free[cellIndex % free.length];
    const body = {
      id: hex(16), viewer: account, magnet, cellIndex, size: manifest.cells[cellIndex].size, fromByte,
      provider: provider.account, providerNode: provider.nodeId, expiresMs: Date.now() + 180_000,
    };
    this.grants.set(body.id, body);
    return { body, signature: "0x" };
  }

  play({ account, magnet, cellIndex, grant, supersedes }) {
    const { manifest } = this.film(magnet);
    if (!this.grants.has(grant)) throw new Refused("unknown-grant", 100);
    const given = this.plays.get(supersedes);
    if (given?.status === "running") Object.assign(given, { status: "refused", code: "superseded" });
    const unpaid = (code) => ({ cellKey: "0x", outcome: { kind: "unpaid", detail: code } });
    if (this.mined.has(`${account}/${magnet}/${cellIndex}`)) return unpaid("already-mined");
    const nowMs = Date.now();
    let startsMs = nowMs;
    for (const play of this.plays.values()) {
      if (play.account !== account || play.status !== "running") continue;
      if (play.cellIndex === cellIndex && play.magnet === magnet && nowMs < play.startsMs + 1.5 * play.playMs) return unpaid("already-issued");
      const leftMs = play.startsMs + play.playMs - nowMs;
      if (leftMs > PARAMS.overlapMs) return unpaid("overlapping");
      if (leftMs > 0) startsMs = nowMs + leftMs;
    }
    const code = { id: hex(16), account, magnet, cellIndex, grant, issuedMs: nowMs, startsMs, playMs: manifest.cells[cellIndex].durationMs };
    this.plays.set(code.id, { ...code, status: "running" });
    return { cellKey: "0x", outcome: { kind: "mining", detail: { body: code, signature: "0x" } } };
  }

  prove({ play: id, folded, nonce }) {
    const play = this.plays.get(id);
    if (!play) throw new Refused("unknown-play");
    if (play.status !== "running") throw new Refused(play.status === "refused" ? play.code : "replay");
    const sinceMs = Date.now() - play.startsMs;
    const code =
      sinceMs < play.playMs - PARAMS.earlyToleranceMs ? "too-early"
      : sinceMs > play.playMs * 1.5 ? "too-late"
      : folded !== PARAMS.playPoints ? "wrong-hash"
      : nonce !== 7 ? "wrong-nonce"
      : null;
    Object.assign(play, code ? { status: "refused", code } : { status: "proved" });
    if (code) throw new Refused(code);
  }

  account(address) {
    const gwei = this.viewBlocks.flatMap(({ awarded }) => awarded).filter(({ account }) => account.toLowerCase() === address).reduce((sum, { gwei }) => sum + BigInt(gwei), 0n);
    const accepted = [...this.plays.values()].filter((play) => play.account.toLowerCase() === address && play.status === "accepted").reverse();
    const plays = accepted.map(({ id, magnet, cellIndex, viewBlock, slot }) => ({ play: id, magnet, cellIndex, viewBlock, slot }));
    return { balanceWei: (gwei * 1_000_000_000n).toString(), pendingGwei: "0", plays };
  }

  catalogue() {
    return this.films.map(({ magnet, manifest }) => ({
      magnet, uri: `magnet:?xt=urn:cfx:${magnet.slice(2)}&dn=${encodeURIComponent(manifest.title)}`, title: manifest.title,
      creator: manifest.creator, supervisor: "0x00000000000000000000000000000000005afe00", playTimeMs: manifest.playTimeMs,
      cells: manifest.cells.length, width: 480, height: 270, takenDown: this.takenDown,
    }));
  }

  rpc(method, [param]) {
    switch (method) {
      case "cfx_schedule":
        return { viewBlocks: this.viewBlocks.length, issuedGwei: (REWARD_GWEI * BigInt(this.viewBlocks.length)).toString(), nextRewardGwei: REWARD_GWEI.toString(), halvingViewBlock: 2_160_000, lastSlot: 0, slotMs: PARAMS.slotMs };
      case "cfx_viewBlocks":
        return this.viewBlocks.slice(0, param.count);
      case "cfx_viewBlock":
        return this.viewBlocks.find(({ viewBlock }) => viewBlock === param);
      case "cfx_providers":
        return PROVIDERS;
    }
    throw new Refused("rpc");
  }
}

async function answer(network, root, request, response) {
  const { pathname } = new URL(request.url, "http://mock");
  network.requests.push(`${request.method} ${pathname}`);
  const [area, kind, id, part] = pathname.split("/").slice(1);
  const body = request.method === "POST" ? await readJson(request) : undefined;
  const json = (value) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
  if (area === "rpc") return json({ jsonrpc: "2.0", id: body.id, result: network.rpc(body.method, body.params) });
  if (area !== "api") return serveFile(root, pathname, response);
  const route = `${request.method} ${kind}${part ? `/${part}` : ""}`;
  switch (route) {
    case "GET network":
      return json({ genesis: network.genesis(), head: network.head, viewBlocks: network.viewBlocks.length, nowMs: Date.now() });
    case "GET films":
      return json(network.catalogue());
    case "GET films/manifest":
      return response.writeHead(200, { "content-type": "application/octet-stream" }).end(JSON.stringify(network.film(id).manifest));
    case "GET accounts":
      return json(network.account(id.toLowerCase()));
    case "GET plays":
      return json(network.plays.get(id) ?? { status: "unknown" });
    case "GET events":
      return follow(network, response);
    case "POST grants":
      return json(network.grant(body.body));
    case "POST plays":
      return json(network.play(body.body));
    case "POST deliveries":
      return deliver(network, body.body, response);
    case "POST receipts":
      return response.writeHead(204).end();
    case "POST proofs":
      network.prove(body.body);
      return response.writeHead(204).end();
  }
  throw new Refused("unknown-route");
}

function follow(network, response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(`event: head\ndata: ${JSON.stringify(network.head)}\n\n`);
  network.listeners.add(response);
  response.on("close", () => network.listeners.delete(response));
}

/** In pieces, so that a cell begins to play before it is complete. */
async function deliver(network, grant, response) {
  const film = network.film(grant.magnet);
  const bytes = film.cells[grant.cellIndex].subarray(grant.fromByte);
  const breaksOff = PROVIDERS[network.lost]?.nodeId === grant.providerNode;
  response.writeHead(200, { "content-type": "application/octet-stream" });
  const end = breaksOff ? bytes.length / 2 : bytes.length;
  for (let at = 0; at < end; at += 16_384) {
    response.write(bytes.subarray(at, Math.min(end, at + 16_384)));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (breaksOff) response.destroy();
  else response.end();
}

async function serveFile(root, pathname, response) {
  const path = normalize(join(root, pathname));
  const file = path.startsWith(root) && extname(path) ? path : join(root, "index.html");
  const bytes = await readFile(file).catch(() => undefined);
  if (!bytes) return response.writeHead(404).end();
  const headers = { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-security-policy": CONTENT_SECURITY_POLICY };
  response.writeHead(200, headers).end(bytes);
}

async function readJson(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

function fail(response, error) {
  if (!(error instanceof Refused)) console.error(error);
  if (response.headersSent) return response.destroy();
  const body = { code: error.code ?? "internal", message: error.message, retryMs: error.retryMs };
  response.writeHead(error instanceof Refused ? 409 : 500, { "content-type": "application/json" }).end(JSON.stringify(body));
}
