/** Where apps may come from. Link-local addresses are never an app host: cloud machines answer with their credentials there. */
import { isIP } from 'node:net';
import { ArtifactError } from '../ports.ts';

/** Throws ArtifactError unless `url` is http(s), on the allow-list when there is one, and no forbidden literal address. */
export function checkUrl(url: URL, allowHosts: string[] | undefined): void {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ArtifactError('unsupported', `apps come from http or https addresses, not ${url.protocol}`, { transient: false });
  }
  const host = hostOf(url);
  if (allowHosts && !allowHosts.some(allowed => covers(allowed.toLowerCase(), host, url.host))) {
    throw new ArtifactError('address', `the app host ${url.host} is not on this host's list of allowed ones`, { transient: false });
  }
  if (isIP(host) && isForbidden(host)) throw forbidden(url.host, host);
}

export const forbidden = (host: string, address: string): ArtifactError =>
  new ArtifactError('address', `the app host ${host} is at ${address}, a link-local or metadata address, which is never allowed`, {
    transient: false,
  });

/** Without the brackets of an IPv6 literal. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '').toLowerCase();

/** `example.com`, `example.com:8080` or `*.example.com` (which does not cover `example.com` itself). */
function covers(allowed: string, name: string, nameAndPort: string): boolean {
  if (allowed.startsWith('*.')) return name.endsWith(allowed.slice(1));
  return allowed === name || allowed === nameAndPort;
}

/** True for 169.254/16 and fe80::/10 in every spelling that reaches them, the IPv6 metadata address of AWS, and the unspecified addresses. */
export function isForbidden(address: string): boolean {
  const plain = address.toLowerCase().replace(/%.*$/, '');
  if (isIP(plain) === 4) return plain.startsWith('169.254.') || plain.startsWith('0.');
  const words = wordsOf(plain);
  const [first = 0] = words;
  if ((first & 0xffc0) === 0xfe80) return true;
  if (plain === 'fd00:ec2::254' || words.every(word => word === 0)) return true;
  // IPv4-mapped, IPv4-compatible and NAT64 addresses end in an IPv4 address.
  const embedded =
    words.slice(0, 5).every(word => word === 0) || (first === 0x64 && words[1] === 0xff9b) || (first === 0 && words[4] === 0xffff);
  return embedded && words[6] === 0xa9fe;
}

/** The eight words of an IPv6 address. */
function wordsOf(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, prefix = '', a = '0', b = '0', c = '0', d = '0'] = dotted ?? [];
  const text = dotted ? `${prefix}${hex(a, b)}:${hex(c, d)}` : address;
  const [head = '', tail] = text.split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map(word => Number.parseInt(word, 16)));
  const front = parse(head);
  const back = parse(tail ?? '');
  return [...front, ...Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
}

const hex = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);
