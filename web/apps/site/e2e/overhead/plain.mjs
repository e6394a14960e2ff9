// Plays the same film without any of ours: a bare video element, fed with the same fragments over plain HTTP.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { splitFragments } from "../mock/film.mjs";

/** As much as the player of ours keeps buffered. */
const AHEAD_S = 60;

const PAGE = `<!doctype html><meta charset="utf-8"><title>plain</title><style>body { margin: 0; background: #000 } video { display: block }</style>
<video playsinline></video><script type="module" src="feed.js"></script>`;

/** Runs in the page. */
const FEED = `
const video = document.querySelector("video");
const tracks = await (await fetch("tracks.json")).json();
const source = new MediaSource();
video.src = URL.createObjectURL(source);
await new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
const buffers = tracks.map(({ mediaType }) => source.addSourceBuffer(mediaType));
const append = (buffer, bytes) => new Promise((resolve) => {
  buffer.addEventListener("updateend", resolve, { once: true });
  buffer.appendBuffer(bytes);
});
const get = async (path) => (await fetch(path)).arrayBuffer();
await Promise.all(buffers.map(async (buffer, track) => append(buffer, await get(track + "/init"))));
let playing = false;
for (const track of buffers.keys()) feed(track);
async function feed(track) {
  const buffer = buffers[track];
  for (let fragment = 0; fragment < tracks[track].fragments; fragment += 1) {
    const end = () => (buffer.buffered.length > 0 ? buffer.buffered.end(buffer.buffered.length - 1) : 0);
    while (end() > video.currentTime + ${AHEAD_S}) await new Promise((resolve) => video.addEventListener("timeupdate", resolve, { once: true }));
    const start = buffer.buffered.length > 0 ? buffer.buffered.start(0) : 0;
    if (video.currentTime - start > 60) await new Promise((resolve) => {
      buffer.addEventListener("updateend", resolve, { once: true });
      buffer.remove(0, video.currentTime - 30);
    });
    await append(buffer, await get(track + "/" + fragment));
  }
}
`;

/** Serves the film's fragments and a page that plays them; `tracks` are fragmented files, one track each. */
export async function startPlain(tracks) {
  const split = tracks.map(({ file, mediaType }) => ({ mediaType, ...splitFragments(readFileSync(file)) }));
  const words = JSON.stringify(split.map(({ mediaType, fragments }) => ({ mediaType, fragments: fragments.length })));
  const server = createServer(({ url }, response) => {
    const send = (type, body) => response.writeHead(200, { "content-type": type }).end(body);
    const [, track, part] = url.match(/^\/(\d+)\/(\w+)$/) ?? [];
    if (url === "/") return send("text/html", PAGE);
    if (url === "/feed.js") return send("text/javascript", FEED);
    if (url === "/tracks.json") return send("application/json", words);
    const bytes = part === "init" ? split[track]?.init : split[track]?.fragments[Number(part)];
    return bytes ? send("application/octet-stream", bytes) : response.writeHead(404).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}
