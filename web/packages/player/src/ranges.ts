// Arithmetic of buffered media time: plain lists instead of the browser's live `TimeRanges`.

export interface Range {
  readonly startMs: number;
  readonly endMs: number;
}

/** Copies what the browser reports. */
export function readRanges(ranges: TimeRanges): Range[] {
  return Array.from({ length: ranges.length }, (_, index) => ({
    startMs: ranges.start(index) * 1_000,
    endMs: ranges.end(index) * 1_000,
  }));
}

/** Whether media time `atMs` is buffered. */
export function covers(ranges: readonly Range[], atMs: number): boolean {
  return ranges.some(({ startMs, endMs }) => startMs <= atMs && atMs < endMs);
}

/** How far media goes on without a gap from `fromMs`; `fromMs` itself when it is not buffered. */
export function runsTo(ranges: readonly Range[], fromMs: number): number {
  return ranges.find(({ startMs, endMs }) => startMs <= fromMs && fromMs < endMs)?.endMs ?? fromMs;
}

/** Where to jump when the picture stands before a gap that nothing will fill: the next start, if it is near. */
export function overGap(ranges: readonly Range[], atMs: number, gapMs: number): number | undefined {
  if (covers(ranges, atMs)) return undefined;
  return ranges.find(({ startMs }) => startMs > atMs && startMs - atMs <= gapMs)?.startMs;
}
