import type { Claim } from './claim.ts';
import type { HotLink } from './hot-link.ts';
import { UPDATE } from './hot-scripts.ts';

/** Time to live of a claimed copy; a claim is given up sooner. */
export const CLAIMED_MS = 600_000;
/** How long what was written may wait for more: until it has arrived nobody but this instance could read it anyway. */
const GATHER_MS = 50;
/** Characters of JSON that wait at most: what waits for longer costs the garbage collector more than it saves. */
const LARGEST_WAITING = 64 * 1024;
/** Claims that one update tells of. */
const LARGEST_UPDATE = 1_000;

/** What is done with a claim that an update has told of. */
interface Told {
  /** It is given up. */
  ended(claim: Claim): void;
  /** Somebody else has claimed the object meanwhile. */
  lost(object: string): void;
}

/** Puts what was written behind the copies, behind the answers and in as few round trips as will do. */
export class ClaimUpdates {
  readonly #link: HotLink;
  readonly #hotMs: number;
  readonly #told: Told;
  /** Those that have something to send. */
  #listed: Claim[] = [];
  #characters = 0;
  #timer: NodeJS.Timeout | undefined;
  #planned: NodeJS.Immediate | undefined;
  #sent = 0;
  #answered = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(link: HotLink, hotMs: number, told: Told) {
    this.#link = link;
    this.#hotMs = hotMs;
    this.#told = told;
  }

  /** The claim has something to send: so many characters more. */
  wrote(claim: Claim, characters: number): void {
    this.#list(claim);
    this.#characters += characters;
    if (this.#characters > LARGEST_WAITING) this.#plan();
    else this.#wait();
  }

  /** The claim is to be given up. */
  end(claim: Claim): void {
    this.#list(claim);
    this.#plan();
  }

  /** Sends what a claim has, before anything that is sent from now on. */
  send(claim: Claim): void {
    while (claim.listed && this.#link.trusted) this.#update();
  }

  /** The same for all of them. */
  sendAll(): void {
    while (this.#listed.length > 0 && this.#link.trusted) this.#update();
  }

  /** The server is back: what could not be sent is. */
  resume(): void {
    if (this.#listed.length > 0) this.#plan();
  }

  /** Resolves when everything that was sent of a claim has arrived, or was refused. */
  async arrived(claim: Claim): Promise<void> {
    if (claim.sentWith > this.#answered) await this.#last;
  }

  /** Sends all there is; resolves when it has arrived, or was refused. */
  async close(): Promise<void> {
    this.sendAll();
    await this.#last;
    clearTimeout(this.#timer);
    clearImmediate(this.#planned);
    this.#timer = undefined;
    this.#planned = undefined;
    this.#listed = [];
  }

  #list(claim: Claim): void {
    if (claim.listed) return;
    claim.listed = true;
    this.#listed.push(claim);
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#sendNext();
    }, GATHER_MS).unref();
  }

  /** At the end of this turn, so that what ends in it goes together. */
  #plan(): void {
    this.#planned ??= setImmediate(() => {
      this.#planned = undefined;
      this.#sendNext();
    });
  }

  /** One at a time, so that what comes meanwhile goes together. */
  #sendNext(): void {
    if (this.#listed.length > 0 && this.#sent === this.#answered && this.#link.trusted) this.#update();
  }

  #update(): void {
    const { epoch } = this.#link;
    this.#sent += 1;
    const number = this.#sent;
    const args: (string | number)[] = [epoch, this.#hotMs, CLAIMED_MS];
    const ended: Claim[] = [];
    this.#characters = 0;
    for (const claim of this.#listed.splice(0, LARGEST_UPDATE)) {
      claim.listed = false;
      claim.sentWith = number;
      if (!claim.takeActions(args)) continue;
      ended.push(claim);
      this.#told.ended(claim);
    }
    this.#last = this.#link.run(UPDATE, args).then(
      (answer) => {
        this.#answered = number;
        const [seen, standing, ...lost] = answer as [string, number, ...string[]];
        if (standing === 1) this.#link.saw(seen);
        else this.#link.lapsed();
        for (const object of lost) this.#told.lost(object);
        if (this.#listed.length >= LARGEST_UPDATE) this.#plan();
        else if (this.#listed.length > 0) this.#wait();
      },
      () => {
        this.#answered = number;
        this.#link.distrust();
        // They stand on the server, perhaps: it is told again when it is back.
        for (const claim of ended) {
          claim.forget();
          this.#list(claim);
        }
      },
    );
  }
}
