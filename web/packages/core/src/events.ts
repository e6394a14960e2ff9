// Follows the gateway's event stream: finalised blocks, view blocks as they are made, and as they are awarded.
//
// The browser reconnects by itself after a broken connection, but gives up after an HTTP error: then we do.

import { GATEWAY_BACKOFF, waitMs } from "./backoff";
import type { AccountAddress, BlockHead } from "./nouns";

export interface HeadEvent extends BlockHead {
  readonly timeMs: number;
}

export interface ViewBlockEvent {
  readonly viewBlock: number;
  readonly slot: number;
  readonly plays: number;
  readonly viewers: readonly AccountAddress[];
  readonly rewardGwei: number;
}

/** The audits of a view block are over, and its coins are given out. */
export interface AwardEvent {
  readonly viewBlock: number;
}

export interface EventSink {
  head(event: HeadEvent): void;
  viewBlock(event: ViewBlockEvent): void;
  award(event: AwardEvent): void;
  /** Told only on a change. */
  connected(connected: boolean): void;
}

/** Follows until the returned function is called. */
export function followEvents(sink: EventSink, url = "/api/events"): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  let connected: boolean | undefined;
  const tell = (now: boolean) => {
    if (now !== connected) sink.connected((connected = now));
  };
  const open = () => {
    source = new EventSource(url);
    source.addEventListener("open", () => {
      tries = 0;
      tell(true);
    });
    source.addEventListener("head", (event) => sink.head(JSON.parse(event.data) as HeadEvent));
    source.addEventListener("view-block", (event) => sink.viewBlock(JSON.parse(event.data) as ViewBlockEvent));
    source.addEventListener("award", (event) => sink.award(JSON.parse(event.data) as AwardEvent));
    source.addEventListener("error", () => {
      tell(false);
      if (source?.readyState !== EventSource.CLOSED) return;
      tries += 1;
      timer = setTimeout(open, waitMs(GATEWAY_BACKOFF, tries, Math.random()));
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
