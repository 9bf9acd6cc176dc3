/**
 * Where apps may come from. The front door judges what can be seen in the text, the agent every hop of a download and every address a name resolves to:
 * both by this. Link-local addresses are never an app host: cloud machines answer with their credentials there.
 */
import { isIP } from 'node:net';

export interface AppRules {
  /** May apps be files of the host that runs them (`file:`)? */
  fileUrls: boolean;
  /** `example.com`, `example.com:8080` or `*.example.com` (which does not cover `example.com` itself), in lower case; null: any host. */
  hosts: readonly string[] | null;
}

/** Before a center has said anything else. */
export const STRICT_RULES: AppRules = { fileUrls: false, hosts: null };

/** Why an app may not come from there; undefined: it may. */
export type Misfit = 'scheme' | 'filesOff' | 'fileHost' | 'forbidden' | 'notListed';

export function misfitOf(url: URL, rules: AppRules): Misfit | undefined {
  if (url.protocol === 'file:') {
    if (!rules.fileUrls) return 'filesOff';
    return url.hostname === '' ? undefined : 'fileHost';
  }
  if (!/^https?:$/.test(url.protocol) || url.hostname === '') return 'scheme';
  const host = hostOf(url);
  if (METADATA_NAMES.includes(host.replace(/\.$/, '')) || (isIP(host) !== 0 && isForbidden(host))) return 'forbidden';
  if (rules.hosts && !rules.hosts.some(allowed => covers(allowed, host, url))) return 'notListed';
  return undefined;
}

/** Without the brackets of an IPv6 literal. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '').toLowerCase();

function covers(allowed: string, name: string, { host, port, protocol }: URL): boolean {
  if (allowed.startsWith('*.')) return name.endsWith(allowed.slice(1));
  const usual = protocol === 'https:' ? 443 : 80;
  return allowed === name || allowed === host || (port === '' && allowed === `${host}:${usual}`);
}

export const HOST_RULES =
  'must be hosts that apps may come from, such as example.com, example.com:8080 or *.example.com, separated by commas';

/** As `AppRules.hosts` has them; undefined when one of them could never be a host. */
export function asHostRules(words: readonly string[]): string[] | undefined {
  const rules = words.map(word => word.toLowerCase());
  return rules.length > 0 && rules.every(isHostRule) ? rules : undefined;
}

function isHostRule(rule: string): boolean {
  if (isIP(rule) === 6) return true;
  const [, name, literal, port = '1'] = /^(?:((?:\*\.)?[^\s:/?#@*[\]]+)|\[([^\]]+)\])(?::(\d{1,5}))?$/.exec(rule) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535 || (literal !== undefined && isIP(literal) !== 6)) return false;
  // A port behind a wildcard would be looked for in the name.
  return literal !== undefined || (name !== undefined && !(name.startsWith('*.') && rule.includes(':')));
}

const METADATA_NAMES = ['metadata.google.internal', 'metadata.goog'];
/** Where clouds put what is elsewhere link-local: Alibaba, Azure, Oracle; AWS and Google by IPv6. */
const METADATA_V4 = ['100.100.100.200', '168.63.129.16', '192.0.0.192'];
const METADATA_V6 = ['fd00:ec2::254', 'fd20:ce::254'].map(address => wordsOf(address).join());

/** True for 169.254/16 and fe80::/10 in every spelling that reaches them, the metadata addresses of clouds, and the unspecified addresses. */
export function isForbidden(address: string): boolean {
  const plain = address.toLowerCase().replace(/%.*$/, '');
  if (isIP(plain) === 4) return plain.startsWith('169.254.') || plain.startsWith('0.') || METADATA_V4.includes(plain);
  const words = wordsOf(plain);
  const [first = 0, second = 0, third = 0] = words;
  if ((first & 0xffc0) === 0xfe80 || words.every(word => word === 0) || METADATA_V6.includes(words.join())) return true;
  // 6to4 begins with an IPv4 address; IPv4-mapped, IPv4-compatible and NAT64 addresses end in one.
  if (first === 0x2002) return isForbidden(dotted(second, third));
  const ends =
    (words.slice(0, 5).every(word => word === 0) && [0, 0xffff].includes(words[5] ?? 0)) || (first === 0x64 && second === 0xff9b);
  const [high = 0, low = 0] = words.slice(6);
  return (ends || (first === 0 && words[4] === 0xffff)) && !isSmall(high, low) && isForbidden(dotted(high, low));
}

/** `::1` and its neighbours are addresses of their own, not IPv4 ones in 0/8. */
const isSmall = (high: number, low: number): boolean => high === 0 && low < 0x1_0000;

const dotted = (high: number, low: number): string => [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');

/** The eight words of an IPv6 address. */
function wordsOf(address: string): number[] {
  const found = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, prefix = '', a = '0', b = '0', c = '0', d = '0'] = found ?? [];
  const text = found ? `${prefix}${hex(a, b)}:${hex(c, d)}` : address;
  const [head = '', tail] = text.split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map(word => Number.parseInt(word, 16)));
  const front = parse(head);
  const back = parse(tail ?? '');
  return [...front, ...Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
}

function hex(high: string, low: string): string {
  return (Number(high) * 256 + Number(low)).toString(16);
}
