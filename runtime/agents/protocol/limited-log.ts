import type { Logger } from '../../base/logger.ts';

/** Lines of one kind that are worth reading; what follows them is more of the same. */
const MAX_LINES = 20;

/** Logs the first lines of each kind only: an agent decides how often it gives us cause to. */
export class LimitedLog {
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** `message` names the kind and is one of few. */
  debug(message: string, metadata: Record<string, unknown>): void {
    this.#log('debug', message, metadata);
  }

  warn(message: string, metadata: Record<string, unknown>): void {
    this.#log('warn', message, metadata);
  }

  #log(level: 'debug' | 'warn', message: string, metadata: Record<string, unknown>): void {
    const count = (this.#counts.get(message) ?? 0) + 1;
    this.#counts.set(message, count);
    if (count > MAX_LINES) return;
    this.#logger[level](
      message,
      count === MAX_LINES ? { ...metadata, note: 'the last one of this kind that is logged' } : metadata,
    );
  }
}
