/**
 * The one error class of the runtime. `code` is stable (the table of all codes is `runtime/contract/error-codes.ts`),
 * `message` says what happened and what to do in words a user understands, `data` is machine-readable detail
 * that may be shown to the user: it must never hold a secret.
 */
export class CodedError extends Error {
  readonly code: string;
  readonly data: Record<string, unknown>;

  constructor(code: string, message: string, data: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CodedError';
    this.code = code;
    this.data = data;
  }
}

/** True when `error` is a {@link CodedError}; with `code`, only when it has that code. */
export function isCoded(error: unknown, code?: string): error is CodedError {
  return error instanceof CodedError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node.js system error (`ENOENT`, `EADDRINUSE`, …), if it is one. */
export function systemCodeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
