import { type DestinationStream, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a log line says beside its message; anything that JSON can hold. */
export type LogMetadata = Record<string, unknown>;

/** A logger; `with` returns one whose lines also carry the given component and correlation id. */
export interface Logger {
  debug(message: string, metadata?: LogMetadata): void;
  info(message: string, metadata?: LogMetadata): void;
  warn(message: string, metadata?: LogMetadata): void;
  error(message: string, metadata?: LogMetadata): void;
  with(context: { component?: string; correlationId?: string }): Logger;
}

/**
 * A logger that writes one JSON object a line: `{timestamp, level, correlation_id, component, message, metadata}`
 * (SPEC §7). Every line passes `redact` before it is written, so no caller can leak a secret by forgetting to.
 */
export function createLogger(options: {
  level: LogLevel;
  /** Takes whole lines, each ending in a newline. */
  write: (line: string) => void;
  redact: (line: string) => string;
}): Logger {
  const destination: DestinationStream = { write: (line) => options.write(options.redact(line)) };
  const root = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      nestedKey: 'metadata',
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
    },
    destination,
  );
  const wrap = (logger: typeof root): Logger => ({
    debug: (message, metadata) => logger.debug(metadata ?? {}, message),
    info: (message, metadata) => logger.info(metadata ?? {}, message),
    warn: (message, metadata) => logger.warn(metadata ?? {}, message),
    error: (message, metadata) => logger.error(metadata ?? {}, message),
    with: ({ component, correlationId }) =>
      wrap(
        logger.child({
          ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
          ...(component === undefined ? {} : { component }),
        }),
      ),
  });
  return wrap(root);
}

/** A logger that writes nothing; for tests. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLogger,
};
