import { CodedError, messageOf, systemCodeOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';

/** Codes of the operating system and of PostgreSQL for a server that is not there, or not there any more. */
const AWAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  '57P01',
  '57P02',
  '57P03',
  '57P05',
  '53300',
  '25P03',
]);
/** What pg says without a code. */
const AWAY_WORDS =
  /connection (terminated|ended|timeout)|timeout expired|timeout exceeded|read timeout|client was closed|not queryable|connection error/i;
const TLS_WORDS = /SSL|TLS|certificate|self-signed|altname/i;
/** A conflict between transactions: carried out again, it may go well. */
const AGAIN = new Set(['40001', '40P01']);
const DENIED = new Set(['28000', '28P01', '42501', '3D000', '3F000', '0LP01']);
const FULL = new Set(['53100', '54000']);
/** Read-only: a standby, or a primary that became one. */
const READ_ONLY = new Set(['25006', '57P04']);

/** True when the connection is of no use any more, and the fate of what was asked is not known. */
export function isAway(error: unknown): boolean {
  if (error instanceof CodedError) return error.code === 'storage.unreachable';
  const code = systemCodeOf(error);
  if (code !== undefined) return AWAY.has(code) || code.startsWith('08');
  return AWAY_WORDS.test(messageOf(error));
}

/** True when the server did not carry it out and may do so when it is asked once more. */
export function isPassing(error: unknown): boolean {
  return AGAIN.has(error instanceof CodedError ? String(error.data.code) : (systemCodeOf(error) ?? ''));
}

/** The error in the words of the port. `location` is an address without its secrets. */
export function toFault(error: unknown, location: string): CodedError {
  if (error instanceof CodedError) return error;
  const code = systemCodeOf(error) ?? '';
  const said = messageOf(error);
  const make = (name: Parameters<typeof fault>[0], message: string) =>
    fault(name, message, { location, ...(code === '' ? {} : { code }) }, { cause: error });
  if (isTls(error, code, said)) {
    return make(
      'storage.tls_failed',
      `PostgreSQL at ${location} could not be reached over TLS: ${said}. Check sslmode in POSTGRES_URL, and that its certificate is trusted (NODE_EXTRA_CA_CERTS, or sslrootcert).`,
    );
  }
  if (isAway(error)) return make('storage.unreachable', `${unreachable(code, said, location)}`);
  if (code === '28P01' || code === '28000' || /SASL|password|SCRAM/.test(said)) {
    return make(
      'storage.access_denied',
      `PostgreSQL at ${location} refused the user or the password: ${said}. Check POSTGRES_URL, or PGUSER and POSTGRES_PASSWORD.`,
    );
  }
  if (code === '3D000') {
    return make(
      'storage.access_denied',
      `PostgreSQL at ${location} has no such database: ${said}. Create it, or check PGDATABASE.`,
    );
  }
  if (DENIED.has(code)) {
    return make(
      'storage.access_denied',
      `The user of ${location} lacks a right: ${said}. Grant it USAGE and CREATE on a schema, or make it the owner of the database.`,
    );
  }
  if (FULL.has(code)) return make('storage.full', `The disk of PostgreSQL at ${location} is full: ${said}.`);
  if (READ_ONLY.has(code)) {
    return make(
      'storage.unsupported_server',
      `PostgreSQL at ${location} takes no writes (${said}): it is a standby, or set to be read-only. Use the address of the primary.`,
    );
  }
  if (code === '57014') {
    return make(
      'storage.failed',
      `PostgreSQL at ${location} ended a statement that took too long: ${said} (PGSTATEMENT_TIMEOUT).`,
    );
  }
  if (code === 'XX001' || code === 'XX002') {
    return make('storage.corrupt', `PostgreSQL at ${location} found its own files damaged: ${said}.`);
  }
  return make('storage.failed', `PostgreSQL at ${location} failed: ${said}.`);
}

function isTls(error: unknown, code: string, said: string): boolean {
  if (/^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_OSSL)/.test(code)) return true;
  // Of the server's own codes only the refusal of a connection without TLS is about it.
  if (code === '28000') return /no encryption|SSL off/i.test(said);
  return /^[0-9A-Z]{5}$/.test(code) ? false : TLS_WORDS.test(said) && error instanceof Error;
}

function unreachable(code: string, said: string, location: string): string {
  const advice =
    'It is tried again by itself; check that the server runs and that POSTGRES_URL (or PGHOST and PGPORT) is right.';
  switch (code) {
    case 'ECONNREFUSED':
      return `Nobody listens at ${location}: the connection was refused. ${advice}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The name of the host in ${location} is not known (${code}). ${advice}`;
    case '57P01':
    case '57P02':
    case '57P03':
      return `PostgreSQL at ${location} is starting or shutting down: ${said}. ${advice}`;
    case '53300':
      return `PostgreSQL at ${location} has no connection left: ${said}. Lower PGPOOL_MAX or raise max_connections.`;
    case '':
      return /timeout/i.test(said)
        ? `PostgreSQL at ${location} did not answer in time (${said}). ${advice}`
        : `The connection to PostgreSQL at ${location} was lost (${said}). ${advice}`;
    default:
      return `PostgreSQL at ${location} cannot be reached: ${said}${said.includes(code) ? '' : ` (${code})`}. ${advice}`;
  }
}
