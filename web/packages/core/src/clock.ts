// Where the film is right now, between two reports of the media element.

export interface ClockReading {
  /** Media time from the start of the film. */
  readonly positionMs: number;
  /** The viewer wants it to play: not paused and not at the end. */
  readonly wanted: boolean;
  /** It really does: nothing is missing. */
  readonly moving: boolean;
  readonly rate: number;
  readonly ended: boolean;
}

/** A media element reports four times a second; what is silent for longer is not believed to move. */
const SILENCE_MS_MAX = 1_000;

export class MediaClock {
  #reading: ClockReading = { positionMs: 0, wanted: false, moving: false, rate: 1, ended: false };
  #readAtMs = 0;

  get reading(): ClockReading {
    return this.#reading;
  }

  set(nowMs: number, reading: ClockReading): void {
    this.#reading = reading;
    this.#readAtMs = nowMs;
  }

  /** The position now. */
  positionMs(nowMs: number): number {
    const { positionMs, moving, rate } = this.#reading;
    if (!moving) return positionMs;
    return positionMs + Math.min(SILENCE_MS_MAX, Math.max(0, nowMs - this.#readAtMs)) * rate;
  }

  /** When `positionMs` is reached; `undefined` when nothing says that it will be before the next report. */
  whenAt(positionMs: number): number | undefined {
    const { moving, rate } = this.#reading;
    if (!moving || rate <= 0) return undefined;
    const afterMs = (positionMs - this.#reading.positionMs) / rate;
    return afterMs >= 0 && afterMs <= SILENCE_MS_MAX ? this.#readAtMs + afterMs : undefined;
  }
}
