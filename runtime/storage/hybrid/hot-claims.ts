import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CheckedOperation } from '../checked-input.ts';
import type { OperationResult } from '../storage.ts';
import { Claim } from './claim.ts';
import { CLAIMED_MS, ClaimUpdates } from './claim-updates.ts';
import { Fence } from './fence.ts';
import type { HotLink } from './hot-link.ts';
import { CLAIM } from './hot-scripts.ts';

/** To claim what a commit writes, when the server is lost by it and comes back at once. */
const ATTEMPTS = 3;
/** A claim that was not used for so long is given up. */
const IDLE_MS = 60_000;
/** A claim is given up after so long, even if it is used; sooner than its copy lapses. */
const OLDEST_MS = CLAIMED_MS / 2;

/** When a commit was under way for longer, it is asked once more whether its claims stand. */
const RECENT_MS = 250;

interface Doubt {
  fence: Fence;
  /** By `performance.now`. */
  until: number;
  /** Another fence is being put in the place of this one, which does not stand any more. */
  isBeingRestored: boolean;
}

/**
 * What this instance claims. The first commit on an object claims it, with a round trip; the following ones are fenced by the
 * claim that stands. While the cold side carries a commit out, the server is asked whether the claims still stand; if they do
 * not, the commit is fenced anew before it is answered. What was written follows behind the answer.
 */
export class HotClaims {
  readonly #link: HotLink;
  readonly #updates: ClaimUpdates;
  readonly #claims = new Map<string, Claim>();
  #lastNumber = 0;
  /** The question that was not sent yet. */
  #check: Promise<boolean> | undefined;
  #lastCheck: Promise<unknown> = Promise.resolve();
  /** Commits of which nobody knows whether they were carried out, and which may yet be. */
  #doubtful: Doubt[] = [];

  constructor(link: HotLink, hotMs: number) {
    this.#link = link;
    this.#updates = new ClaimUpdates(link, hotMs, {
      ended: (claim) => {
        if (this.#claims.get(claim.object) === claim) this.#claims.delete(claim.object);
      },
      lost: (object) => {
        const claim = this.#claims.get(object);
        if (claim !== undefined) this.spoil(claim);
      },
    });
    link.onForgotten = () => this.#forget();
    link.onTrusted = () => this.#updates.resume();
  }

  /** The claim on an object, if there is one. */
  on(object: string): Claim | undefined {
    return this.#claims.get(object);
  }

  /** Fences a commit that writes `objects`, one for each operation; undefined when none of them is ever hot. */
  fence(objects: readonly (string | undefined)[]): Fence | undefined {
    const claims: (Claim | undefined)[] = [];
    let isNone = true;
    let isReady = this.#link.trusted && this.#link.isFresh;
    for (const object of objects) {
      const claim = object === undefined ? undefined : this.#claims.get(object);
      claims.push(claim);
      if (object === undefined) continue;
      isNone = false;
      if (claim === undefined || claim.granting !== undefined) isReady = false;
    }
    if (isNone) return undefined;
    const fence = new Fence(objects);
    if (isReady) fence.hold(claims);
    else fence.ready = this.#prepare(fence);
    return fence;
  }

  /** To be called when the commit was handed to the cold side. */
  handedOver(fence: Fence): void {
    fence.handedOverAt = Date.now();
    if (this.#link.trusted) fence.check = this.#check ??= this.#ask();
  }

  /** The commit was carried out, and the copies follow. Without `results` it is not known what it wrote, and they go. */
  carriedOut(
    fence: Fence,
    operations: readonly CheckedOperation[],
    results: readonly OperationResult[] | undefined,
    at: number,
  ): void {
    const { claims } = fence;
    for (let i = 0; i < claims.length; i++) {
      const claim = claims[i];
      if (claim === undefined) continue;
      const operation = operations[i] as CheckedOperation;
      if (results === undefined) claim.spoil();
      else claim.carriedOut(operation, results[i] as OperationResult, at);
      if (claim.hasNews) this.#updates.wrote(claim, 'json' in operation ? operation.json.length : 0);
    }
    this.settle(fence);
  }

  /** The commit is over; if it was carried out, that was told before. */
  settle(fence: Fence): void {
    for (const claim of fence.held) if (claim.settled()) this.#updates.end(claim);
  }

  /** Before a commit is answered: makes sure that nobody believes a copy from before it. Never rejects. */
  async secure(fence: Fence): Promise<void> {
    // Between the question and now the server may have been lost.
    let isFenced = (await fence.check) === true && fence.isAlive;
    if (isFenced) {
      const passed = Date.now() - fence.handedOverAt;
      if (passed >= 0 && passed < RECENT_MS) return;
      // The cold side took its time, or the process stood still: what was answered then says little.
      this.#check ??= this.#ask();
      isFenced = (await this.#check) && fence.isAlive;
    }
    if (!isFenced) this.settle(await this.#again(fence));
  }

  /** Nobody knows whether the commit was carried out, or will be: its fence stays for as long as it may. Never rejects. */
  async doubt(fence: Fence): Promise<void> {
    const doubt: Doubt = { fence, until: performance.now() + this.#link.lapseMs, isBeingRestored: false };
    this.#doubtful.push(doubt);
    for (const claim of fence.held) claim.spoil();
    if ((await fence.check) !== true || !fence.isAlive) await this.#restore(doubt);
  }

  /** Sends what has been put behind the copy of a claim, before anything that is sent from now on. */
  send(claim: Claim): void {
    this.#updates.send(claim);
  }

  /** The same for all claims. */
  sendAll(): void {
    this.#updates.sendAll();
  }

  /** Resolves when everything that was sent of a claim has arrived, or was refused. */
  arrived(claim: Claim): Promise<void> {
    return this.#updates.arrived(claim);
  }

  /** The copy of a claim is not what it should be. */
  spoil(claim: Claim): void {
    claim.spoil();
    if (claim.underWay === 0) this.#updates.end(claim);
  }

  /** Gives a claim up, as soon as no commit is under way on it. */
  giveUp(claim: Claim): void {
    claim.ending = true;
    if (claim.underWay === 0) this.#updates.end(claim);
  }

  /** To be called every few seconds: prolongs the lease, and gives up what was not used or is wanted by others. */
  async beat(): Promise<void> {
    const wanted = await this.#link.beat();
    for (const object of wanted) {
      const claim = this.#claims.get(object);
      if (claim !== undefined) this.giveUp(claim);
    }
    const now = performance.now();
    for (const claim of this.#claims.values()) {
      if (now - claim.usedAt > IDLE_MS || now - claim.begun > OLDEST_MS) this.giveUp(claim);
    }
    const isOver = ({ until, isBeingRestored }: Doubt) => until <= now && !isBeingRestored;
    for (const { fence } of this.#doubtful.filter(isOver)) this.settle(fence);
    this.#doubtful = this.#doubtful.filter((doubt) => !isOver(doubt));
    for (const doubt of this.#doubtful) if (!doubt.fence.isAlive) await this.#restore(doubt);
    // The request for such a claim was given up, and has arrived behind all that was sent since.
    const unknown = wanted.filter((object) => !this.#claims.has(object));
    if (unknown.length > 0) this.settle(await this.#again(new Fence(unknown)));
  }

  /** Gives everything up; no commit may be under way. Never rejects. */
  async close(): Promise<void> {
    for (const claim of this.#claims.values()) this.giveUp(claim);
    await this.#updates.close();
    // A commit that may yet be carried out is fenced for as long as it may.
    await this.#link.leave({ lapse: this.#doubtful.length > 0 });
    this.#doubtful = [];
  }

  /** Claims what a commit writes. When that is not possible within the grace, it goes on without a fence. */
  async #prepare(fence: Fence): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS && (await this.#link.trustedWithinGrace()); attempt++) {
      if (!this.#link.isFresh) await this.beat();
      if (this.#link.trusted && (await this.#take(fence))) return;
    }
  }

  async #take(fence: Fence): Promise<boolean> {
    const asked: Claim[] = [];
    fence.hold(
      fence.objects.map((object) => {
        if (object === undefined) return undefined;
        let claim = this.#claims.get(object);
        if (claim === undefined) {
          this.#lastNumber += 1;
          const { prefix, instance } = this.#link;
          claim = new Claim(object, this.#lastNumber, `${prefix}m:${instance}.${this.#lastNumber}`);
          this.#claims.set(object, claim);
          asked.push(claim);
        }
        return claim;
      }),
    );
    if (asked.length > 0) this.#claim(asked);
    for (const claim of fence.held) await claim.granting;
    if (fence.isAlive) return true;
    this.settle(fence);
    fence.letGo();
    return false;
  }

  #claim(claims: readonly Claim[]): void {
    const args: (string | number)[] = [CLAIMED_MS];
    for (const { object, number } of claims) args.push(object, number);
    const granting = this.#link.run(CLAIM, args).then(
      (answer) => {
        const [epoch, ...found] = answer as string[];
        if (epoch === undefined) return this.#link.lapsed();
        for (const [i, claim] of claims.entries()) claim.granted(found[i] as string);
        this.#link.saw(epoch);
      },
      () => this.#link.distrust(),
    );
    for (const claim of claims) claim.granting = granting;
  }

  /** The same commit, fenced by claims whose copies nobody believes. */
  async #again({ objects }: Fence): Promise<Fence> {
    const fence = new Fence(objects);
    await this.#prepare(fence);
    for (const claim of fence.held) claim.spoil();
    return fence;
  }

  async #restore(doubt: Doubt): Promise<void> {
    if (doubt.isBeingRestored || !this.#link.trusted) return;
    doubt.isBeingRestored = true;
    const former = doubt.fence;
    doubt.fence = await this.#again(former);
    doubt.isBeingRestored = false;
    this.settle(former);
  }

  /** One question at a time, so that those who come meanwhile ask together. */
  async #ask(): Promise<boolean> {
    // Behind what the cold side sends in this turn: the server has answered long before PostgreSQL has.
    await nextTurn();
    await this.#lastCheck;
    this.#check = undefined;
    const answer = this.#link.stands();
    this.#lastCheck = answer;
    return answer;
  }

  /** None of the claims is known to stand; those that do are given up when nothing is under way on them. */
  #forget(): void {
    for (const claim of this.#claims.values()) {
      claim.forget();
      if (claim.underWay === 0) this.#updates.end(claim);
    }
    this.#claims.clear();
  }
}
