/** The address of a caller behind a proxy. */
import ipaddr from 'ipaddr.js';
import { commaEntries } from '../lib/comma-list.ts';
import { isAmong } from '../lib/ip-ranges.ts';

/**
 * The address of the peer, unless it is one of `proxies` (addresses and networks such as
 * `10.0.0.0/8`): then the last address of X-Forwarded-For that is not one of them. A caller can
 * forge the addresses before that one.
 */
export function clientAddress(request: Request, peer: string, proxies: readonly string[]): string {
  if (proxies.length === 0 || !isAmong(peer, proxies)) return peer;
  const hops = commaEntries(request.headers.get('x-forwarded-for') ?? '').map(withoutPort);
  let client = peer;
  for (const hop of hops.reverse()) {
    if (!ipaddr.isValid(hop)) break;
    client = hop;
    if (!isAmong(hop, proxies)) break;
  }
  return client;
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const withoutPort = (hop: string): string => /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
