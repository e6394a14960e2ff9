// How one play of the history is shown: a kind for its colour, a name for it, and a sentence where there is more to say.

import type { AccountPlay } from "@chainflix/core/gateway";
import type { Catalogue } from "../messages/en";
import type { Reason } from "./i18n.svelte";

export type PlayLook = "running" | "proved" | "audited" | "mined" | "unpaid";

export interface PlayWords {
  readonly look: PlayLook;
  readonly name: string;
  readonly detail: string;
  readonly advice: string;
}

/** @param reason words for a refusal's code. */
export function wordsOfPlay(play: AccountPlay, m: Catalogue, reason: (code: string, message?: string) => Reason): PlayWords {
  const block = play.viewBlock ?? 0;
  switch (play.status) {
    case "accepted":
      return { look: "mined", name: m.playMined, detail: m.playMinedHint(block), advice: "" };
    case "auditing":
      return { look: "audited", name: m.playAudited, detail: m.auditHint, advice: "" };
    case "pending":
      return { look: "proved", name: m.playPending, detail: m.playPendingHint(block), advice: "" };
    case "proved":
      return { look: "proved", name: m.playProved, detail: m.playProvedHint, advice: "" };
    case "refused": {
      const { happened, advice } = reason(play.code ?? "", play.message);
      return { look: "unpaid", name: m.playUnpaid, detail: happened, advice };
    }
    default:
      return { look: "running", name: m.playRunning, detail: "", advice: "" };
  }
}

/** What the play paid its viewer, in gwei; `undefined` of one that was not awarded. */
export function earnedBy({ paid }: AccountPlay): bigint | undefined {
  return paid?.filter(({ role }) => role === "viewer").reduce((sum, { gwei }) => sum + BigInt(gwei), 0n);
}
