// One film on the page: what the worker reports of it, and the engine that plays it.

import type { CellState } from "@chainflix/core/cell-state";
import type { Command, Report, SourceInfo } from "@chainflix/core/messages";
import type { Magnet, Manifest, PlayId } from "@chainflix/core/nouns";
import type { Engine } from "@chainflix/player/engine";

export interface StopNotice {
  readonly code: string;
  readonly message: string;
}

let openings = 0;

export class FilmView {
  readonly magnet: Magnet;
  readonly #opening = openings++;
  readonly #send: (command: Command) => void;
  readonly #rememberPlay: (play: PlayId | null) => void;
  manifest = $state.raw<Manifest | undefined>();
  cells = $state<Record<number, CellState>>({});
  source = $state.raw<SourceInfo | undefined>();
  stopped = $state.raw<StopNotice | undefined>();
  current = $state(0);
  playing = $state(false);
  readonly #waiting = new Map<string, (bytes: ArrayBuffer | null) => void>();
  #video: HTMLVideoElement | undefined;
  #engine: Engine | undefined;
  #closed = false;

  /** @param givenUp the play that an earlier page left behind. */
  constructor(magnet: Magnet, send: (command: Command) => void, givenUp: PlayId | null, rememberPlay: (play: PlayId | null) => void) {
    this.magnet = magnet;
    this.#send = send;
    this.#rememberPlay = rememberPlay;
    send({ kind: "open", opening: this.#opening, magnet, givenUp });
  }

  take(report: Report): void {
    if (!("opening" in report) || report.opening !== this.#opening) return;
    switch (report.kind) {
      case "film":
        this.manifest = report.manifest;
        return void this.#play();
      case "cell":
        this.cells[report.state.index] = report.state;
        return this.#engine?.readable(report.state.index, report.state.readable);
      case "source":
        this.source = report.source;
        return;
      case "fragment":
        return this.#answer(report.cell, report.fragment, report.bytes);
      case "unfinished":
        return this.#rememberPlay(report.play);
      case "stopped":
        return this.#stop(report);
    }
  }

  /** The element that shows the film. */
  attach(video: HTMLVideoElement): void {
    this.#video = video;
    void this.#play();
  }

  /** Jumps to media time `positionMs`. */
  jump(positionMs: number): void {
    if (this.#video) this.#video.currentTime = positionMs / 1_000;
  }

  close(): void {
    this.#closed = true;
    this.#engine?.close();
    this.#send({ kind: "close", opening: this.#opening });
  }

  async #play(): Promise<void> {
    const [video, manifest] = [this.#video, this.manifest];
    if (!video || !manifest || this.#engine) return;
    const { Engine } = await import("@chainflix/player/engine");
    if (this.#closed || this.#engine) return;
    const opening = this.#opening;
    this.#engine = new Engine(video, manifest, {
      read: (cell, fragment) => this.#read(cell, fragment),
      clock: (reading) => {
        this.playing = reading.moving;
        this.#place(manifest, reading.positionMs);
        this.#send({ kind: "clock", opening, reading });
      },
      seek: (positionMs) => {
        this.#place(manifest, positionMs);
        this.#send({ kind: "seek", opening, positionMs });
      },
      failed: (code, message) => this.#stop({ code, message }),
    });
    for (const { index, readable } of Object.values(this.cells)) this.#engine.readable(index, readable);
  }

  #place(manifest: Manifest, positionMs: number): void {
    const after = manifest.cells.findIndex(({ startMs }) => startMs > positionMs);
    this.current = (after === -1 ? manifest.cells.length : after) - 1;
  }

  #read(cell: number, fragment: number): Promise<ArrayBuffer | null> {
    return new Promise((resolve) => {
      this.#waiting.set(`${cell}/${fragment}`, resolve);
      this.#send({ kind: "read", opening: this.#opening, cell, fragment });
    });
  }

  #answer(cell: number, fragment: number, bytes: ArrayBuffer | null): void {
    const key = `${cell}/${fragment}`;
    this.#waiting.get(key)?.(bytes);
    this.#waiting.delete(key);
  }

  #stop({ code, message }: StopNotice): void {
    this.stopped ??= { code, message };
    this.#video?.pause();
    this.playing = false;
  }
}
