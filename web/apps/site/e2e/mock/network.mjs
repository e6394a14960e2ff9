// The pretended network behind the mock gateway: one process, no signature, nothing checked.
//
// It keeps the rules that a page can run into: one paid play at a time, proofs neither early nor late, each cell mined
// once, a view block per slot, audits drawn two blocks later, coins when they are over.

export const PARAMS = {
  cellMs: 3_000, slotMs: 1_500, blockMs: 500, playPoints: 6, latePermille: 1_500, overlapMs: 250, earlyToleranceMs: 250,
  vestingViewBlocks: 2, audit: { sharePermille: 50, answerMs: 3_000, strikesMax: 3 },
};
const REWARD_GWEI = 90_000_000_000n;
const SPLIT = { viewer: 300n, creator: 300n, activators: 100n, storage: 150n, validators: 80n, supervisor: 30n, operation: 40n };
const DRAW_BLOCKS = 2;
const PAGE_PLAYS = 10;
const PROVIDERS = ["aa", "bb", "cc"].map((byte) => ({ account: `0x${byte.repeat(20)}`, nodeId: `0x${byte.repeat(32)}`, boxKey: `0x${byte.repeat(32)}` }));

const hex = (bytes) => `0x${Array.from({ length: bytes }, () => Math.floor(Math.random() * 256).toString(16).padStart(2, "0")).join("")}`;
const sumOf = (numbers) => numbers.reduce((sum, number) => sum + number, 0n);

export class Refused extends Error {
  constructor(code, retryMs) {
    super(`refused: ${code}`);
    Object.assign(this, { code, retryMs });
  }
}

export class MockNetwork {
  genesisTimeMs = Math.floor(Date.now() / 1_000) * 1_000;
  head = { number: 1, hash: hex(32), timeMs: Date.now() };
  viewBlocks = [];
  grants = new Map();
  plays = new Map();
  mined = new Set();
  listeners = new Set();
  /** A provider (by number) that breaks off each delivery half-way. */
  lost = -1;
  takenDown = false;
  /** Every play is drawn for audit. */
  audits = false;
  /** Openings are lost on their way: a viewer that keeps silent. */
  deaf = false;
  openings = [];
  /** Plays that an account is shown besides its own, newest first. */
  past = [];
  requests = [];

  constructor(films) {
    this.films = films;
    const timers = [setInterval(() => this.block(), PARAMS.blockMs), setInterval(() => this.slot(), PARAMS.slotMs)];
    this.close = () => timers.forEach(clearInterval);
  }

  genesis() {
    const validators = Array.from({ length: 4 }, (_, n) => ({ account: `0x${String(n + 1).repeat(40)}`, consensusKey: `0x${String(n + 1).repeat(64)}` }));
    return { chainId: 4408920, genesisTimeMs: this.genesisTimeMs, params: PARAMS, validators };
  }

  tell(event, data) {
    for (const response of this.listeners) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  block() {
    this.head = { number: this.head.number + 1, hash: hex(32), timeMs: Date.now() };
    this.tell("head", this.head);
    for (const made of this.viewBlocks) if (!made.awarded) this.audit(made);
  }

  slot() {
    const plays = [...this.plays.values()].filter(({ status }) => status === "proved");
    if (plays.length === 0) return;
    const viewBlock = this.viewBlocks.length + 1;
    const slot = Math.floor((Date.now() - this.genesisTimeMs) / PARAMS.slotMs);
    for (const play of plays) {
      Object.assign(play, { status: "pending", viewBlock, timeMs: Date.now() });
      this.mined.add(`${play.account}/${play.magnet}/${play.cellIndex}`);
    }
    const viewers = [...new Set(plays.map(({ account }) => account))];
    const made = { viewBlock, slot, block: this.head.number, timeMs: Date.now(), plays: plays.length, rewardGwei: Number(REWARD_GWEI), viewers };
    this.viewBlocks.unshift({ ...made, carried: plays, drawn: null, awarded: null });
    this.tell("view-block", { viewBlock, slot, plays: plays.length, viewers, rewardGwei: Number(REWARD_GWEI) });
  }

  /** Draws two blocks later; awards when every drawn play was opened, or could have been. */
  audit(made) {
    if (this.head.number < made.block + DRAW_BLOCKS) return;
    const untilMs = Date.now() + PARAMS.audit.answerMs;
    made.drawn ??= { untilMs, plays: this.audits ? made.carried.map((play) => Object.assign(play, { status: "auditing", untilMs })) : [] };
    const silent = made.drawn.plays.filter(({ opened }) => !opened);
    if (silent.length > 0 && Date.now() < made.drawn.untilMs) return;
    for (const play of silent) Object.assign(play, { status: "refused", code: "voided", timeMs: Date.now() });
    this.award(made, made.carried.filter(({ status }) => status !== "refused"));
  }

  award(made, plays) {
    const share = plays.length === 0 ? 0n : REWARD_GWEI / BigInt(plays.length);
    for (const play of plays) {
      const paid = Object.entries(SPLIT).map(([role, permille]) => ({ role, gwei: Number((share * permille) / 1_000n) }));
      Object.assign(play, { status: "accepted", paid });
    }
    made.awarded = plays.map(({ account }) => ({ account, gwei: Number((share * SPLIT.viewer) / 1_000n) }));
    this.tell("award", { viewBlock: made.viewBlock });
  }

  film(magnet) {
    const film = this.films.find((found) => found.magnet === magnet);
    if (!film) throw new Refused("unknown-video");
    if (this.takenDown) throw new Refused("taken-down");
    return film;
  }

  grant({ account, magnet, cellIndex, fromByte, excluded }) {
    const { manifest } = this.film(magnet);
    const free = PROVIDERS.filter(({ nodeId }) => !excluded.includes(nodeId));
    if (free.length === 0) throw new Refused("no-source", 200);
    const provider = free[cellIndex % free.length];
    const body = {
      id: hex(16), viewer: account, magnet, cellIndex, size: manifest.cells[cellIndex].size, fromByte,
      provider: provider.account, providerNode: provider.nodeId, expiresMs: Date.now() + 180_000,
    };
    this.grants.set(body.id, body);
    return { body, signature: "0x" };
  }

  /** Whether the delivery of a grant breaks off. */
  breaksOff({ providerNode }) {
    return PROVIDERS[this.lost]?.nodeId === providerNode;
  }

  play({ account, magnet, cellIndex, grant, supersedes }) {
    const { manifest } = this.film(magnet);
    if (!this.grants.has(grant)) throw new Refused("unknown-grant", 100);
    const given = this.plays.get(supersedes);
    if (given?.status === "running") Object.assign(given, { status: "refused", code: "superseded", timeMs: Date.now() });
    const unpaid = (code) => ({ cellKey: "0x", outcome: { kind: "unpaid", detail: code } });
    if (this.mined.has(`${account}/${magnet}/${cellIndex}`)) return unpaid("already-mined");
    const nowMs = Date.now();
    let startsMs = nowMs;
    for (const play of this.plays.values()) {
      if (play.account !== account || play.status !== "running") continue;
      if (play.cellIndex === cellIndex && play.magnet === magnet && nowMs < play.startsMs + 1.5 * play.playMs) return unpaid("already-issued");
      const leftMs = play.startsMs + play.playMs - nowMs;
      if (leftMs > PARAMS.overlapMs) return unpaid("overlapping");
      if (leftMs > 0) startsMs = nowMs + leftMs;
    }
    const code = { id: hex(16), account, magnet, cellIndex, grant, issuedMs: nowMs, startsMs, playMs: manifest.cells[cellIndex].durationMs };
    this.plays.set(code.id, { ...code, status: "running", timeMs: nowMs });
    return { cellKey: "0x", outcome: { kind: "mining", detail: { body: code, signature: "0x" } } };
  }

  prove({ play: id, folded, nonce }) {
    const play = this.plays.get(id);
    if (!play) throw new Refused("unknown-play");
    if (play.status !== "running") throw new Refused(play.status === "refused" ? play.code : "replay");
    const sinceMs = Date.now() - play.startsMs;
    const code =
      sinceMs < play.playMs - PARAMS.earlyToleranceMs ? "too-early"
      : sinceMs > play.playMs * 1.5 ? "too-late"
      : folded !== PARAMS.playPoints ? "wrong-hash"
      : nonce !== 7 ? "wrong-nonce"
      : null;
    Object.assign(play, code ? { status: "refused", code } : { status: "proved" }, { timeMs: Date.now() });
    if (code) throw new Refused(code);
  }

  open({ play: id, chunks }) {
    if (this.deaf) throw new Refused("busy", 100);
    const play = this.plays.get(id);
    if (play?.status !== "auditing") throw new Refused("not-audited");
    if (chunks !== PARAMS.playPoints) throw new Refused("bad-opening");
    this.openings.push(id);
    play.opened = true;
  }

  account(address, from) {
    const mine = this.viewBlocks.map((made) => ({ made, gwei: sumOf((made.awarded ?? []).filter(({ account }) => account.toLowerCase() === address).map(({ gwei }) => BigInt(gwei))) }));
    const vests = ({ made }) => made.viewBlock + this.vestingViewBlocks;
    const isVesting = (part) => part.made.awarded && part.gwei > 0n && vests(part) > this.viewBlocks.length;
    const vesting = mine.filter(isVesting).reverse();
    const spendable = mine.filter((part) => part.made.awarded && !isVesting(part));
    const own = [...this.plays.values()].filter((play) => play.account.toLowerCase() === address).reverse();
    const pending = own.filter(({ status }) => status === "pending" || status === "auditing");
    const plays = [...own.map(shown), ...this.past];
    const start = Number(from ?? 0);
    return {
      balanceWei: (sumOf(spendable.map(({ gwei }) => gwei)) * 1_000_000_000n).toString(),
      pendingGwei: (BigInt(pending.length) * ((REWARD_GWEI * SPLIT.viewer) / 1_000n)).toString(),
      vestingGwei: sumOf(vesting.map(({ gwei }) => gwei)).toString(),
      vesting: vesting.map((part) => ({ viewBlock: vests(part), gwei: Number(part.gwei) })),
      viewBlocks: this.viewBlocks.length,
      plays: plays.slice(start, start + PAGE_PLAYS),
      next: start + PAGE_PLAYS < plays.length ? String(start + PAGE_PLAYS) : null,
    };
  }

  /** View blocks between an award and its coins. */
  vestingViewBlocks = 0;

  catalogue() {
    return this.films.map(({ magnet, manifest }) => ({
      magnet, uri: `magnet:?xt=urn:cfx:${magnet.slice(2)}&dn=${encodeURIComponent(manifest.title)}`, title: manifest.title,
      creator: manifest.creator, supervisor: "0x00000000000000000000000000000000005afe00", playTimeMs: manifest.playTimeMs,
      cells: manifest.cells.length, width: 480, height: 270, takenDown: this.takenDown,
    }));
  }

  rpc(method, [param]) {
    switch (method) {
      case "cfx_schedule":
        return { viewBlocks: this.viewBlocks.length, issuedGwei: (REWARD_GWEI * BigInt(this.viewBlocks.length)).toString(), nextRewardGwei: REWARD_GWEI.toString(), halvingViewBlock: 2_160_000, lastSlot: 0, slotMs: PARAMS.slotMs };
      case "cfx_viewBlocks":
        return this.viewBlocks.slice(0, param.count).map(({ carried, drawn, ...made }) => made);
      case "cfx_viewBlock": {
        const { carried, drawn, ...made } = this.viewBlocks.find(({ viewBlock }) => viewBlock === param);
        return made;
      }
      case "cfx_providers":
        return PROVIDERS;
    }
    throw new Refused("rpc");
  }
}

function shown({ id, magnet, cellIndex, timeMs, status, viewBlock, untilMs, code, paid }) {
  return { play: id, magnet, cellIndex, timeMs, status, viewBlock, untilMs, code, paid };
}
