// Measures what watching with us costs a browser beside plain playback, in percent of one core; prints one JSON object.
//
// ```text
//  CHAINFLIX=…/chainflix ─▶ demo with a 1080p film ──▶ page of ours ──┐   in turns, in one Chromium,
//                           the same fragments ─────▶ bare <video> ──┴─▶ processor time of all its threads
// ```
//
// What is in the number: everything that Chromium does more for our page than for a bare video element that gets the same
// fragments over HTTP: fetching through the gateway, the delivery layer and the verification of each chunk, the content
// layer, the proof (points, nonce, signatures), events, and the page around the picture. What is not: the threads of the
// decoder, on both sides. They do the same work, frame by frame, and their scatter alone is larger than what is measured;
// `all` has the difference with them.
//
// | environment | what |
// |---|---|
// | `CHAINFLIX` | the command that starts the network |
// | `DEMO_JSON` | instead: what a running `chainflix demo` wrote; its first film is the one in `FILM` |
// | `FILM` | an H.264 film with sound, of four cells or more; a test picture is made without |
// | `ROUNDS` | pairs of measurements [2] |
// | `WINDOW_S` | length of each, in seconds: one cell, so that every step of one is in it [60] |

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { launch, newPage } from "./browser.mjs";
import { clockCore, coreMs } from "./overhead/core-clock.mjs";
import { startPlain } from "./overhead/plain.mjs";
import { measureThreads } from "./overhead/threads.mjs";
import { openFirstFilm, pressPlay } from "./watching.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 2);
const WINDOW_MS = 1_000 * Number(process.env.WINDOW_S ?? 60);
/** Until buffers are full and the first cell's work is over. */
const WARM_UP_S = 12;
/** FFmpeg's names for its threads, and the pool that Chromium decodes in besides. */
const DECODER = /^(av:|dav1d|VideoDecoder)/;

const folder = mkdtempSync(join(tmpdir(), "chainflix-overhead-"));
const note = (words) => console.error(words);
const ffmpeg = (...args) => execFileSync("ffmpeg", ["-v", "error", "-y", ...args], { cwd: folder });

/** Twenty seconds of moving noise at the rate of a film in 1080p, over and over. */
function testPicture() {
  note("making a film");
  const picture = "testsrc2=size=1920x1080:rate=30,noise=alls=12:allf=t";
  const rate = ["-b:v", "4500k", "-maxrate", "5000k", "-bufsize", "9000k", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0"];
  const sound = ["-c:a", "aac", "-b:a", "128k"];
  ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=frequency=220:sample_rate=48000", "-t", "20", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", ...rate, ...sound, "part.mp4");
  ffmpeg("-stream_loop", "11", "-i", "part.mp4", "-c", "copy", "film.mp4");
  return join(folder, "film.mp4");
}

/** The film's tracks as fragmented files for the bare element. */
function fragmented(film) {
  const flags = ["-c", "copy", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-f", "mp4"];
  ffmpeg("-i", film, "-map", "0:v:0", ...flags, "v.mp4");
  ffmpeg("-i", film, "-map", "0:a:0", "-frag_duration", "2000000", ...flags, "a.mp4");
  return [
    { file: join(folder, "v.mp4"), mediaType: 'video/mp4; codecs="avc1.640028"' },
    { file: join(folder, "a.mp4"), mediaType: 'audio/mp4; codecs="mp4a.40.2"' },
  ];
}

/** A network of its own: `{ json, stop }`. */
async function startDemo(film) {
  const data = join(folder, "demo");
  const args = ["demo", "--port-base", "0", "--until-stdin-closes", "--data", data, "--film", film];
  const demo = spawn(process.env.CHAINFLIX, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => demo.once("exit", resolve));
  const stop = () => {
    demo.stdin.end();
    return ended;
  };
  for await (const line of createInterface({ input: demo.stdout })) {
    if (line.startsWith("ready ")) return { json: join(data, "demo.json"), stop };
  }
  throw new Error("the demo ended before it was ready");
}

const position = (page) => page.evaluate(() => document.querySelector("video").currentTime);
const playsPast = (page, seconds) => page.waitForFunction((at) => document.querySelector("video").currentTime > at, seconds, { timeout: 60_000 });

/** Measures one playback from its warm-up on; fails when the picture stood still. */
async function measure(session, page) {
  await playsPast(page, WARM_UP_S);
  const from = await position(page);
  const before = page.workers().length > 0 ? await coreMs(page) : undefined;
  const threads = await measureThreads(session, WINDOW_MS);
  const after = before ? await coreMs(page) : undefined;
  const played = (await position(page)) - from;
  assert.ok(played > (0.95 * WINDOW_MS) / 1_000, `only ${played} s were played`);
  const core = Object.fromEntries(Object.entries(after ?? {}).map(([what, ms]) => [what, (100 * (ms - before[what])) / WINDOW_MS]));
  return { threads, core };
}

async function plainly(browser, session, url, { width, height }) {
  const { page, close } = await newPage(browser);
  await page.goto(url);
  // Scaling the picture costs by its size.
  await page.locator("video").evaluate((video, size) => Object.assign(video.style, size), { width: `${width}px`, height: `${height}px` });
  await page.locator("video").evaluate((video) => video.play());
  const measured = await measure(session, page);
  await close();
  return measured;
}

/** How large our page shows the picture. */
async function pictureSize(browser, url) {
  const { page, close } = await newPage(browser);
  await openFirstFilm(page, url);
  const { width, height } = await page.getByTestId("video").boundingBox();
  await close();
  return { width, height };
}

async function withUs(browser, session, url) {
  const { page, close } = await newPage(browser);
  await clockCore(page);
  await openFirstFilm(page, url);
  await pressPlay(page);
  // Away from the controls, which hide then, as they do for somebody who watches.
  await page.mouse.move(2, 2);
  const measured = await measure(session, page);
  const states = await page.getByTestId("cell").evaluateAll((cells) => cells.map(({ dataset }) => dataset.play));
  assert.ok(states.some((state) => ["proved", "pending", "audited", "mined"].includes(state)), `nothing was mined: ${states}`);
  await close();
  return measured;
}

const sum = (threads, counts) => Object.entries(threads).filter(([name]) => counts(name)).reduce((total, [, percent]) => total + percent, 0);
const mean = (numbers) => numbers.reduce((total, number) => total + number, 0) / numbers.length;
const round = (number) => Math.round(1_000 * number) / 1_000;

/** Each thread's mean on both sides, the largest differences first. */
function threadTable(plain, ours) {
  const names = new Set([...plain, ...ours].flatMap(({ threads }) => Object.keys(threads)));
  const rows = [...names].map((name) => [name, mean(plain.map(({ threads }) => threads[name] ?? 0)), mean(ours.map(({ threads }) => threads[name] ?? 0))]);
  rows.sort((a, b) => Math.abs(b[2] - b[1]) - Math.abs(a[2] - a[1]));
  return rows.slice(0, 16).map(([name, before, after]) => `${name.padEnd(18)} ${before.toFixed(2).padStart(7)} ${after.toFixed(2).padStart(7)}`).join("\n");
}

function report(plain, ours) {
  const difference = (counts) => mean(ours.map(({ threads }) => sum(threads, counts))) - mean(plain.map(({ threads }) => sum(threads, counts)));
  const core = (what) => round(mean(ours.map(({ core }) => core[what])));
  note(`percent of a core   plain    ours\n${threadTable(plain, ours)}`);
  return {
    browser_overhead_core_percent: round(difference((name) => !DECODER.test(name))),
    parts: {
      all: round(difference(() => true)),
      worker_thread: round(mean(ours.map(({ threads }) => sum(threads, (name) => name.startsWith("DedicatedWorker"))))),
      core_delivery: core("delivery"),
      core_reading: core("reading"),
      core_proof: core("proof"),
    },
  };
}

async function main() {
  const film = process.env.FILM ?? testPicture();
  const demo = process.env.DEMO_JSON ? { json: process.env.DEMO_JSON, stop: () => undefined } : await startDemo(film);
  const plainServer = await startPlain(fragmented(film));
  const browser = await launch();
  try {
    const session = await browser.newBrowserCDPSession();
    const web = JSON.parse(readFileSync(demo.json, "utf8")).web.replace(/\/$/, "");
    const size = await pictureSize(browser, web);
    const [plain, ours] = [[], []];
    for (let turn = 1; turn <= ROUNDS; turn += 1) {
      note(`round ${turn} of ${ROUNDS}`);
      plain.push(await plainly(browser, session, plainServer.url, size));
      ours.push(await withUs(browser, session, web));
    }
    console.log(JSON.stringify(report(plain, ours)));
  } finally {
    await browser.close();
    await plainServer.close();
    await demo.stop();
  }
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
