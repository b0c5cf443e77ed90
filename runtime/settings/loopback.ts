import { isIP } from 'node:net';

/** The host without the brackets that an IPv6 address has in a URL. */
export function bareHost(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/**
 * True for the addresses and names that always mean this very machine: 127.0.0.0/8, ::1 (also as IPv4-mapped IPv6) and
 * `localhost`, with its sub-names, which RFC 6761 reserves for loopback.
 */
export function isLoopback(host: string): boolean {
  const bare = bareHost(host).toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost')) return true;
  const mapped = bare.startsWith('::ffff:') ? bare.slice('::ffff:'.length) : bare;
  if (isIP(mapped) === 4) return mapped.startsWith('127.');
  return bare === '::1' || bare === '0:0:0:0:0:0:0:1';
}

/** True for the addresses that mean "all addresses of this machine" when bound to. */
export function isWildcard(address: string): boolean {
  const bare = bareHost(address);
  return bare === '0.0.0.0' || bare === '::' || bare === '0:0:0:0:0:0:0:0';
}
