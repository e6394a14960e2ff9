// The page's end of the protocol worker.

import type { Command, Report } from "./messages";

export class WorkerLink {
  readonly #worker: Worker;
  readonly #listeners = new Set<(report: Report) => void>();

  constructor() {
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "chainflix" });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Report>) => this.#tell(data));
    this.#worker.addEventListener("error", ({ message }) => {
      this.#tell({ kind: "failed", code: "worker", message: message || "the worker cannot be started" });
    });
  }

  send(command: Command): void {
    // An account's secret is moved, so that no copy of it stays on the page.
    this.#worker.postMessage(command, command.kind === "account" ? [command.secret.buffer] : []);
  }

  /** Listens until the returned function is called. */
  listen(listener: (report: Report) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(report: Report): void {
    for (const listener of this.#listeners) listener(report);
  }
}
