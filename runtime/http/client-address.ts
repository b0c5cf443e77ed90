import { BlockList, isIP } from 'node:net';
import type { Connection } from './connection.ts';

/** Who a request comes from and under which name it reached us, with trusted proxies looked through. */
export interface Client {
  /** Undefined for a call within the process. */
  address?: string;
  /** As the client wrote it: name or address, with the port if it is not the default one. */
  host: string;
  secure: boolean;
  /** A trusted proxy vouches for `address`, `host` and `secure`. */
  viaProxy: boolean;
}

/** Finds the {@link Client} of a request. `trustedProxies` are addresses and networks (`TRUSTED_PROXIES`). */
export function createClientResolver(trustedProxies: readonly string[]) {
  const trusted = new BlockList();
  for (const entry of trustedProxies) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(prefix), family);
  }
  const isTrusted = (address: string) => {
    const family = isIP(address);
    return family !== 0 && trusted.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };

  return (request: Request, connection: Connection | undefined): Client => {
    const url = new URL(request.url);
    const direct: Client = {
      host: request.headers.get('host') ?? url.host,
      secure: url.protocol === 'https:',
      viaProxy: false,
    };
    const peer = connection?.remoteAddress;
    if (peer === undefined) return direct;
    const address = withoutMapping(peer);
    const forwarded = request.headers.get('x-forwarded-for');
    if (forwarded === null || !isTrusted(address)) return { ...direct, address };
    // Each proxy appends whom it saw, so only what stands right of the last untrusted one can be believed.
    const hops = forwarded.split(',').map((hop) => withoutMapping(hop.trim()));
    return {
      address: hops.findLast((hop) => isIP(hop) !== 0 && !isTrusted(hop)) ?? address,
      host: request.headers.get('x-forwarded-host') ?? direct.host,
      secure: request.headers.get('x-forwarded-proto') === 'https' || direct.secure,
      viaProxy: true,
    };
  };
}

/** IPv4 as a dual-stack socket writes it (`::ffff:1.2.3.4`) in the ordinary form. */
function withoutMapping(address: string): string {
  return address.toLowerCase().startsWith('::ffff:') && isIP(address.slice(7)) === 4
    ? address.slice(7)
    : address;
}
