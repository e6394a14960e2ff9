// A mock gateway before the pretended network of `network.mjs`, for page tests only. The real test is `play.e2e.mjs`.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { MockNetwork, Refused } from "./network.mjs";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".wasm": "application/wasm" };
/** What the gateway sends (`crates/gateway/src/server.rs`): the pages must work under it. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; media-src 'self' blob:; " +
  "connect-src 'self'; img-src 'self' data: blob:; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Starts on a free port. */
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

async function answer(network, root, request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://mock");
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
      return json(network.account(id.toLowerCase(), searchParams.get("from")));
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
    case "POST openings":
      network.open(body.body);
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
  const breaksOff = network.breaksOff(grant);
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
