// Makes a small film with ffmpeg and cuts it into cells of whole fragments, unsealed: for page tests only.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FRAGMENT_MS = 1_000;

/** A film of `cells` cells of `cellMs` each: `{ magnet, manifest, cells: [Buffer] }`. */
export function makeFilm({ title, cells, cellMs, hue }) {
  const folder = mkdtempSync(join(tmpdir(), "chainflix-film-"));
  try {
    const seconds = String((cells * cellMs) / 1_000);
    const flags = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-f", "mp4"];
    const run = (args) => execFileSync("ffmpeg", ["-v", "error", "-y", ...args], { cwd: folder });
    const picture = `testsrc2=size=480x270:rate=25,hue=h=${hue}`;
    run(["-f", "lavfi", "-i", picture, "-t", seconds, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0", ...flags, "v.mp4"]);
    run(["-f", "lavfi", "-i", "sine=frequency=220", "-t", seconds, "-c:a", "aac", "-frag_duration", "1000000", ...flags, "a.mp4"]);
    const tracks = [splitFragments(readFileSync(join(folder, "v.mp4"))), splitFragments(readFileSync(join(folder, "a.mp4")))];
    return assemble(title, cells, cellMs, tracks);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The boxes of a fragmented file: everything before the first `moof`, then each `moof` with its `mdat`. */
export function splitFragments(bytes) {
  const fragments = [];
  let init = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    if (type === "ftyp" || type === "moov") init = at + size;
    if (type === "moof") fragments.push([at, at + size]);
    if (type === "mdat") fragments.at(-1)[1] = at + size;
    at += size;
  }
  return { init: bytes.subarray(0, init), fragments: fragments.map(([start, end]) => bytes.subarray(start, end)) };
}

function assemble(title, count, cellMs, [video, audio]) {
  const cells = Array.from({ length: count }, (_, index) => {
    const parts = [];
    for (let at = (index * cellMs) / FRAGMENT_MS; at < ((index + 1) * cellMs) / FRAGMENT_MS; at += 1) {
      for (const [track, { fragments }] of [[1, audio], [0, video]]) {
        if (fragments[at]) parts.push({ track, startMs: at * FRAGMENT_MS, bytes: fragments[at] });
      }
    }
    // What is left of the sound belongs to the last cell.
    if (index === count - 1) for (const bytes of audio.fragments.slice((count * cellMs) / FRAGMENT_MS)) parts.push({ track: 1, startMs: count * cellMs - 1, bytes });
    return parts;
  });
  const hex = (bytes) => `0x${bytes.toString("hex")}`;
  const track = (kind, mediaType, { init }) => ({ kind, mediaType, width: kind === "video" ? 480 : 0, height: kind === "video" ? 270 : 0, init: hex(init) });
  const manifest = {
    title,
    creator: "0x00000000000000000000000000000000000c0ffe",
    playTimeMs: count * cellMs,
    tracks: [track("video", 'video/mp4; codecs="avc1.42C015"', video), track("audio", 'audio/mp4; codecs="mp4a.40.2"', audio)],
    cells: cells.map((parts, index) => ({
      id: hex(createHash("sha256").update(`${title}/${index}`).digest()),
      size: parts.reduce((sum, { bytes }) => sum + bytes.length, 0),
      startMs: index * cellMs,
      durationMs: cellMs,
      fragments: parts.map(({ track, startMs, bytes }) => ({ track, startMs, size: bytes.length })),
    })),
  };
  const magnet = hex(createHash("sha256").update(JSON.stringify(manifest)).digest());
  return { magnet, manifest, cells: cells.map((parts) => Buffer.concat(parts.map(({ bytes }) => bytes))) };
}
