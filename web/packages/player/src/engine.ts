// Plays a film in a video element: a source buffer per track, fed with fragments that the worker verified and opened.
//
// ```text
//   controls ─▶ <video> ── clock, seek ──▶ worker
//                  ▲                          │ readable(cell, fragments)
//             SourceBuffers ◀── fragments ── read(cell, fragment)
// ```
//
// The element decides what is true: this class only reads it, feeds it, and steps it over holes that nothing will fill.
// A track has a buffer of its own, so that a dub can replace the sound alone. Leaves out network, keys and mining.

import type { ClockReading } from "@chainflix/core/clock";
import type { Hex, Manifest } from "@chainflix/core/nouns";
import { overGap, readRanges } from "./ranges";
import { TrackFeed } from "./track-feed";

/** Holes up to this long are stepped over; tracks begin and end a few frames apart. */
const GAP_MS_MAX = 500;

/** What the engine asks of the worker. */
export interface FragmentPort {
  /** The bytes of a fragment; `null` when they cannot be read after all. */
  read(cell: number, fragment: number): Promise<ArrayBuffer | null>;
  clock(reading: ClockReading): void;
  seek(positionMs: number): void;
  failed(code: "unsupported" | "media", message: string): void;
}

const CLOCK_EVENTS = ["timeupdate", "play", "playing", "pause", "waiting", "ratechange", "seeked", "ended"] as const;

export class Engine {
  readonly #video: HTMLVideoElement;
  readonly #manifest: Manifest;
  readonly #port: FragmentPort;
  readonly #source = new MediaSource();
  readonly #url: string;
  readonly #readable = new Map<number, number>();
  readonly #listening = new AbortController();
  #feeds: TrackFeed[] = [];
  /** Position of the last jump that the worker was told of. */
  #jumpedToMs = -1;
  #stepping = false;

  constructor(video: HTMLVideoElement, manifest: Manifest, port: FragmentPort) {
    this.#video = video;
    this.#manifest = manifest;
    this.#port = port;
    const { signal } = this.#listening;
    this.#source.addEventListener("sourceopen", () => void this.#begin(), { once: true, signal });
    for (const event of CLOCK_EVENTS) video.addEventListener(event, () => this.#tellClock(), { signal });
    video.addEventListener("seeking", () => this.#tellSeek(), { signal });
    video.addEventListener("waiting", () => this.#stepOver(), { signal });
    video.addEventListener("error", () => this.#fail(video.error?.message), { signal });
    this.#url = URL.createObjectURL(this.#source);
    video.src = this.#url;
  }

  /** More fragments of a cell can be read. */
  readable(cell: number, fragments: number): void {
    if (this.#readable.get(cell) === fragments) return;
    this.#readable.set(cell, fragments);
    this.#wake();
  }

  /** Stops for good and lets go of the element. */
  close(): void {
    this.#listening.abort();
    for (const feed of this.#feeds) feed.close();
    this.#video.pause();
    this.#video.removeAttribute("src");
    this.#video.load();
    URL.revokeObjectURL(this.#url);
  }

  async #begin(): Promise<void> {
    try {
      this.#source.duration = this.#manifest.playTimeMs / 1_000;
      // All buffers before the first byte: the browser takes no further track once it has parsed one.
      const buffers = this.#manifest.tracks.map((track) => this.#addBuffer(track.mediaType));
      const feeds = buffers.map((buffer, track) => new TrackFeed(buffer, this.#manifest, track, this.#feedSource));
      await Promise.all(feeds.map((feed, track) => feed.begin(fromHex(this.#manifest.tracks[track]?.init ?? "0x"))));
      this.#feeds = feeds;
      this.#wake();
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #addBuffer(mediaType: string): SourceBuffer {
    if (!MediaSource.isTypeSupported(mediaType)) {
      this.#port.failed("unsupported", mediaType);
      throw new Error(`this browser does not play ${mediaType}`);
    }
    const buffer = this.#source.addSourceBuffer(mediaType);
    // The priming of AAC lies before the film's zero.
    buffer.appendWindowStart = 0;
    return buffer;
  }

  readonly #feedSource = {
    positionMs: () => this.#video.currentTime * 1_000,
    readable: (cell: number) => this.#readable.get(cell) ?? 0,
    read: (cell: number, fragment: number) => this.#port.read(cell, fragment),
    idle: () => this.#afterFeed(),
    failed: (error: unknown) => this.#fail(error instanceof Error ? error.message : String(error)),
  };

  #wake(): void {
    for (const feed of this.#feeds) feed.wake();
  }

  #afterFeed(): void {
    this.#stepOver();
    const done = this.#feeds.every((feed) => !feed.isBusy && feed.isFilled);
    if (done && this.#source.readyState === "open") this.#source.endOfStream();
  }

  #tellClock(): void {
    const video = this.#video;
    // The element moves first and says so later: a jump must not look like a minute that was watched.
    if (video.seeking) this.#tellSeek();
    const wanted = !video.paused && !video.ended;
    this.#port.clock({
      positionMs: this.#positionMs(),
      wanted,
      moving: wanted && !video.seeking && video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA,
      rate: video.playbackRate,
      ended: video.ended,
    });
    this.#wake();
  }

  #tellSeek(): void {
    const positionMs = this.#positionMs();
    if (this.#stepping || positionMs === this.#jumpedToMs) return;
    this.#jumpedToMs = positionMs;
    for (const feed of this.#feeds) feed.forgive();
    this.#port.seek(positionMs);
    this.#wake();
    this.#video.addEventListener("seeked", () => (this.#jumpedToMs = -1), { once: true, signal: this.#listening.signal });
  }

  #stepOver(): void {
    const video = this.#video;
    if (video.paused || video.readyState > HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const next = overGap(readRanges(video.buffered), this.#positionMs(), GAP_MS_MAX);
    if (next === undefined) return;
    this.#stepping = true;
    video.addEventListener("seeked", () => (this.#stepping = false), { once: true, signal: this.#listening.signal });
    video.currentTime = (next + 1) / 1_000;
  }

  #positionMs(): number {
    return Math.round(this.#video.currentTime * 1_000);
  }

  #fail(message = "the browser cannot play this film"): void {
    if (!this.#listening.signal.aborted) this.#port.failed("media", message);
  }
}

function fromHex(hex: Hex): ArrayBuffer {
  const bytes = Uint8Array.from({ length: (hex.length - 2) / 2 }, (_, index) => Number.parseInt(hex.slice(2 + 2 * index, 4 + 2 * index), 16));
  return bytes.buffer;
}
