// The plays of the wallet's account, page by page: the newest page is refreshed, older ones stay as they were fetched.

import type { AccountPlay, AccountState, Gateway } from "@chainflix/core/gateway";
import type { AccountAddress } from "@chainflix/core/nouns";
import { mergePlays, newOf } from "./merge-plays";

export class History {
  plays = $state.raw<readonly AccountPlay[]>([]);
  next = $state.raw<string | null>(null);
  busy = $state(false);
  failed = $state(false);
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Takes the newest page. */
  refresh({ plays, next }: AccountState): void {
    const merged = mergePlays(this.plays, plays);
    // More came than a page holds, or another account: what is shown does not join on any more.
    if (!merged || this.plays.length === 0) [this.plays, this.next] = [plays, next];
    else this.plays = merged;
  }

  /** Fetches the next older page. */
  async more(address: AccountAddress): Promise<void> {
    if (this.busy || this.next === null) return;
    [this.busy, this.failed] = [true, false];
    try {
      const { plays, next } = await this.#gateway.account(address, this.next);
      this.plays = [...this.plays, ...newOf(this.plays, plays)];
      this.next = next;
    } catch {
      this.failed = true;
    }
    this.busy = false;
  }
}
