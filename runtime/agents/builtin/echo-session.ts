/** A session of the echo agent: what it knows, and what can be set in it. */
import type { SessionConfigOption, SessionModeState } from '@agentclientprotocol/sdk';
import type { EchoSessionFile } from './echo-session-file.ts';
import type { KnownTurnEntry } from './serve-stdio.ts';

/** Words that it can keep in mind, by its own account; nothing is forgotten when there are more. */
const CONTEXT_WINDOW = 8000;

const MODES = [
  { id: 'plain', name: 'Plain', description: 'Answer with your own words' },
  { id: 'loud', name: 'Loud', description: 'The same in capitals' },
];

/** What the pause between two pieces of an answer is multiplied with. */
const PACES: Record<string, number> = { slow: 5, normal: 1, fast: 0 };

export class EchoSession {
  readonly id: string;
  readonly #entries: KnownTurnEntry[] = [];
  #words = 0;
  readonly #file: EchoSessionFile | undefined;
  modeId = 'plain';
  pace = 'normal';
  /** Dollars that it claims to have cost. */
  cost = 0;
  abort: AbortController | undefined;

  constructor(id: string, entries: KnownTurnEntry[], file: EchoSessionFile | undefined) {
    this.id = id;
    this.#file = file;
    for (const entry of entries) this.#know(entry);
  }

  get entries(): readonly KnownTurnEntry[] {
    return this.#entries;
  }

  /** How many turns it knows. */
  get knownTurns(): number {
    return this.#entries.filter(({ role }) => role === 'user').length;
  }

  get paceFactor(): number {
    return PACES[this.pace] ?? 1;
  }

  get modes(): SessionModeState {
    return { currentModeId: this.modeId, availableModes: MODES };
  }

  get configOptions(): SessionConfigOption[] {
    return [
      {
        id: 'pace',
        name: 'Pace',
        description: 'How fast the words follow each other',
        category: 'model_config',
        type: 'select',
        currentValue: this.pace,
        options: Object.keys(PACES).map((value) => ({
          value,
          name: `${value.charAt(0).toUpperCase()}${value.slice(1)}`,
        })),
      },
    ];
  }

  get contextWindow(): { used: number; size: number } {
    return { used: this.#words, size: CONTEXT_WINDOW };
  }

  add(entry: KnownTurnEntry): void {
    this.#know(entry);
    this.#file?.append(this.id, [entry]);
  }

  #know(entry: KnownTurnEntry): void {
    this.#entries.push(entry);
    this.#words += entry.text.match(/\S+/g)?.length ?? 0;
  }

  /** False when there is no such mode. */
  setMode(modeId: string): boolean {
    const exists = MODES.some(({ id }) => id === modeId);
    if (exists) this.modeId = modeId;
    return exists;
  }

  nextMode(): string {
    const at = MODES.findIndex(({ id }) => id === this.modeId);
    this.modeId = MODES[(at + 1) % MODES.length]?.id ?? this.modeId;
    return this.modeId;
  }

  /** False when there is no such option, or it does not have the value. */
  setOption(optionId: string, value: unknown): boolean {
    const exists = optionId === 'pace' && typeof value === 'string' && Object.hasOwn(PACES, value);
    if (exists) this.pace = value;
    return exists;
  }
}
