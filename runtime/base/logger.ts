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
  /** False: lines for a person's eyes, with the same content. Default true. */
  structured?: boolean;
  /** Takes whole lines, each ending in a newline. */
  write: (line: string) => void;
  redact: (line: string) => string;
}): Logger {
  const format = options.structured === false ? readable : (line: string) => line;
  const destination: DestinationStream = { write: (line) => options.write(format(options.redact(line))) };
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

/** A JSON line as `2026-01-01T00:00:00.000Z ERROR sessions: It broke {"sessionId":"s"} (c1)`. */
function readable(line: string): string {
  const { timestamp, level, component, message, metadata, correlation_id: correlationId } = JSON.parse(line);
  const details =
    metadata === undefined || Object.keys(metadata).length === 0 ? '' : ` ${JSON.stringify(metadata)}`;
  return `${timestamp} ${level} ${component ?? 'runtime'}: ${message}${details}${correlationId ? ` (${correlationId})` : ''}\n`;
}

/** A logger that writes nothing; for tests. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLogger,
};
