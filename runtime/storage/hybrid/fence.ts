import type { Claim } from './claim.ts';

/** One commit, from before it is handed to the cold side until its outcome is known. */
export class Fence {
  /** What each operation writes; undefined for what is never hot. */
  readonly objects: readonly (string | undefined)[];
  /** Resolves when the commit may be handed over; undefined when it may be at once. Never rejects. */
  ready: Promise<void> | undefined;
  /** Whether its claims were seen to stand after it was handed over. */
  check: Promise<boolean> | undefined;
  /** When it was handed over, before the claims were asked for; milliseconds since the epoch. */
  handedOverAt = 0;
  /** The claim that fences each operation. */
  #claims: readonly (Claim | undefined)[] = [];
  /** Each of them once. */
  readonly #held = new Set<Claim>();

  constructor(objects: readonly (string | undefined)[]) {
    this.objects = objects;
  }

  get claims(): readonly (Claim | undefined)[] {
    return this.#claims;
  }

  get held(): ReadonlySet<Claim> {
    return this.#held;
  }

  /** Counts the commit as under way on each of its claims. */
  hold(claims: readonly (Claim | undefined)[]): void {
    const now = performance.now();
    this.#claims = claims;
    for (const claim of claims) if (claim !== undefined) this.#held.add(claim);
    for (const claim of this.#held) claim.begin(now);
  }

  /** It has none of its claims any more. */
  letGo(): void {
    this.#claims = [];
    this.#held.clear();
  }

  /** True while it has claims, and nothing is known that speaks against them. */
  get isAlive(): boolean {
    for (const { alive } of this.#held) if (!alive) return false;
    return this.#held.size > 0;
  }
}
