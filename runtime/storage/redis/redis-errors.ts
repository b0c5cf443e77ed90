import { type CodedError, isCoded, messageOf, systemCodeOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';

const AWAY = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** What the client says of a connection that is gone, and the server while it cannot serve. */
const LOST =
  /timed out|timeout|closed|connection close|isn't writeable|max retries per request|slots cache|startup nodes|cluster redirections|disconnect|^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|UNBLOCKED)/i;
const TLS = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_OSSL)/;

/** What a client or the server said, as an error of the port in words for the user. */
export function toFault(error: unknown, location: string): CodedError {
  if (isCoded(error)) return error;
  const code = systemCodeOf(error) ?? '';
  const said = messageOf(error);
  const make = (name: Parameters<typeof fault>[0], message: string) =>
    fault(name, message, { location }, { cause: error });
  if (TLS.test(code) || /\bSSL\b|\bTLS\b|certificate/i.test(said)) {
    return make(
      'storage.tls_failed',
      `Redis at ${location} could not be reached over TLS: ${said}. Check whether it speaks TLS there (rediss://), and that its certificate is trusted (NODE_EXTRA_CA_CERTS).`,
    );
  }
  if (/^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/.test(said)) {
    return make(
      'storage.access_denied',
      `Redis at ${location} refused the user, the password or the command: ${said}. Check REDIS_URL, and the rights of the user.`,
    );
  }
  if (AWAY.test(code) || LOST.test(said)) {
    const how = code === 'ECONNREFUSED' ? 'Nobody listens at' : 'Nothing answers at';
    return make(
      'storage.unreachable',
      `${how} ${location}: ${said}. Check that Redis runs, and the address.${tlsHint(location)}`,
    );
  }
  if (/^(?:ERR .*)?-?OOM\b/.test(said)) {
    return make(
      'storage.full',
      `Redis at ${location} has no memory left: ${said}. Raise maxmemory, or make room.`,
    );
  }
  if (/^-?MISCONF\b/.test(said)) {
    return make(
      'storage.full',
      `Redis at ${location} takes no writes because it cannot keep them on its disk: ${said}. Make room there, or see its log.`,
    );
  }
  if (/^-?READONLY\b/.test(said)) {
    return make(
      'storage.unsupported_server',
      `Redis at ${location} is a replica and takes no writes. Give the address of the primary.`,
    );
  }
  if (said.startsWith('Protocol error')) {
    return make(
      'storage.unsupported_server',
      `What answers at ${location} is no Redis: ${said.trim()}${said.endsWith('.') ? '' : '.'} Check the address.`,
    );
  }
  return make('storage.failed', `Redis at ${location} failed: ${said}.`);
}

/** A server that does not expect TLS waits for more of it, without a word. */
function tlsHint(location: string): string {
  return location.startsWith('rediss:')
    ? ' If it does not speak TLS there, its address begins with redis://.'
    : '';
}
