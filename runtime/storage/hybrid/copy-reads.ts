import type { CheckedRead } from '../checked-input.ts';
import type { Claim } from './claim.ts';
import type { HotClaims } from './hot-claims.ts';
import type { HotLink, Look } from './hot-link.ts';
import { READ_RANGE } from './hot-scripts.ts';

/** Copies that are asked for in one turn. */
interface Turn {
  /** Keys. */
  documents: string[];
  logs: [key: string, last: number][];
  answer: Promise<Look>;
}

/** Reads copies, all that are asked for in one turn together, and answers only those that may be believed. */
export class CopyReads {
  readonly #link: HotLink;
  readonly #claims: HotClaims;
  #turn: Turn | undefined;

  constructor(link: HotLink, claims: HotClaims) {
    this.#link = link;
    this.#claims = claims;
  }

  /** The text of a document; undefined when there is none that may be believed. Rejects when the server is lost. */
  async document(object: string, claim: Claim | undefined): Promise<string | undefined> {
    const { epoch } = this.#link;
    const turn = this.#turnOf(claim);
    const place = turn.documents.push(this.#keyOf(object, claim)) - 1;
    const look = await turn.answer;
    const text = look.documents[place] ?? undefined;
    return (await this.#isBelieved(look, epoch, claim, text !== undefined)) ? text : undefined;
  }

  /** The header of a log and its first entries, at most `limit`; as for a document. */
  async log(object: string, claim: Claim | undefined, limit: number): Promise<string[] | undefined> {
    const { epoch } = this.#link;
    const turn = this.#turnOf(claim);
    const place = turn.logs.push([this.#keyOf(object, claim), limit]) - 1;
    const look = await turn.answer;
    const texts = look.logs[place] ?? [];
    return (await this.#isBelieved(look, epoch, claim, texts.length > 0)) ? texts : undefined;
  }

  /** Any part of a log, ascending, with the sequence of its first entry; nothing when the copy does not have all of it. */
  async range(
    object: string,
    claim: Claim | undefined,
    { after, before, limit, reverse }: CheckedRead,
  ): Promise<[first?: number, texts?: string[]]> {
    const { epoch } = this.#link;
    if (claim !== undefined) this.#claims.send(claim);
    const found = (await this.#link.run(READ_RANGE, [
      epoch,
      claim === undefined ? 0 : 1,
      this.#keyOf(object, claim),
      ...[after, before, limit, reverse ? 1 : 0],
    ])) as [number?, string[]?];
    if (claim !== undefined) await this.#claims.arrived(claim);
    return claim?.alive === false ? [] : found;
  }

  #keyOf(object: string, claim: Claim | undefined): string {
    return claim?.key ?? this.#link.sharedKey(object);
  }

  #turnOf(claim: Claim | undefined): Turn {
    // What was written goes first: the connection keeps the order.
    if (claim !== undefined) this.#claims.send(claim);
    this.#turn ??= {
      documents: [],
      logs: [],
      answer: Promise.resolve().then(() => {
        const { documents, logs } = this.#turn as Turn;
        this.#turn = undefined;
        return this.#link.look(documents, logs);
      }),
    };
    return this.#turn;
  }

  async #isBelieved(look: Look, epoch: string, claim: Claim | undefined, isThere: boolean): Promise<boolean> {
    if (look.epoch !== epoch) {
      this.#link.saw(look.epoch);
      return false;
    }
    if (claim === undefined) return isThere;
    if (!look.isLeased) {
      this.#link.lapsed();
      return false;
    }
    // If what was to be written before it was read was refused, the copy is old.
    await this.#claims.arrived(claim);
    if (!isThere) this.#claims.spoil(claim);
    return isThere && claim.alive;
  }
}
