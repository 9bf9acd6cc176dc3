/**
 * Hosts that apps may come from. The API checks the URL, the agent checks every hop of a download
 * and every resolved address, both by this file. Link-local addresses are never allowed: on cloud
 * machines they serve credentials.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface AppRules {
  /** Whether apps may be files of the host that runs them (`file:`). */
  fileUrls: boolean;
  /**
   * `example.com`, `example.com:8080` or `*.example.com` (which does not cover `example.com`
   * itself), in lower case; null: any host.
   */
  hosts: readonly string[] | null;
}

/** In force until a center sends other rules. */
export const STRICT_RULES: AppRules = { fileUrls: false, hosts: null };

/** Why an app may not come from a URL; undefined: it may. */
export type Misfit = 'scheme' | 'filesOff' | 'fileHost' | 'forbidden' | 'notListed';

export function misfitOf(url: URL, rules: AppRules): Misfit | undefined {
  if (url.protocol === 'file:') {
    if (!rules.fileUrls) return 'filesOff';
    return url.hostname === '' ? undefined : 'fileHost';
  }
  if (!/^https?:$/.test(url.protocol) || url.hostname === '') return 'scheme';
  const host = hostOf(url);
  if (METADATA_NAMES.includes(host.replace(/\.$/, '')) || (ipaddr.isValid(host) && isForbidden(host))) return 'forbidden';
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

/** As `AppRules.hosts`; undefined when one of them can be no host. */
export function asHostRules(words: readonly string[]): string[] | undefined {
  const rules = words.map(word => word.toLowerCase());
  return rules.length > 0 && rules.every(isHostRule) ? rules : undefined;
}

function isHostRule(rule: string): boolean {
  if (isIP(rule) === 6) return true;
  const [, name, literal, port = '1'] = /^(?:((?:\*\.)?[^\s:/?#@*[\]]+)|\[([^\]]+)\])(?::(\d{1,5}))?$/.exec(rule) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535 || (literal !== undefined && isIP(literal) !== 6)) return false;
  // A port after a wildcard would be compared with the name.
  return literal !== undefined || (name !== undefined && !(name.startsWith('*.') && rule.includes(':')));
}

const METADATA_NAMES = ['metadata.google.internal', 'metadata.goog'];
/** Link-local services of clouds at other addresses: Alibaba, Azure, Oracle; AWS, Google (IPv6). */
const METADATA = ['100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254'].map(text =>
  ipaddr.parse(text).toNormalizedString(),
);

/**
 * True for 169.254/16, fe80::/10, the metadata addresses of clouds and the unspecified addresses,
 * in every notation of the library and every IPv6 form that embeds an IPv4 address. Also true for a
 * text that is not an address.
 */
export function isForbidden(address: string): boolean {
  const plain = address.replace(/%.*$/, '');
  if (!ipaddr.isValid(plain)) return true;
  const parsed = ipaddr.parse(plain);
  if (['linkLocal', 'unspecified'].includes(parsed.range()) || METADATA.includes(parsed.toNormalizedString())) return true;
  return parsed.kind() === 'ipv6' && carriedBy(parsed.toByteArray()).some(each => isForbidden(each.join('.')));
}

/**
 * The IPv4 addresses that a tunnel or translator extracts from an IPv6 address. The range of the
 * library gives their position; ISATAP (RFC 5214) and IPv4-compatible addresses have no range
 * there.
 */
function carriedBy(bytes: number[]): number[][] {
  const at = (...indexes: number[]) => indexes.map(index => bytes[index] ?? 0);
  const last = bytes.slice(12);
  // `::1` and its neighbours are not IPv4 addresses of 0/8.
  if (bytes.slice(0, 12).every(byte => byte === 0)) return bytes[12] || bytes[13] ? [last] : [];
  const found: number[][] = [];
  // Interface id 0000:5efe, or 0200:5efe for a unique address. The group bit is ignored.
  if (((bytes[8] ?? 0) & 0xfc) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) found.push(last);
  switch (ipaddr.fromByteArray(bytes).range()) {
    case 'ipv4Mapped':
    case 'rfc6145':
      found.push(last);
      break;
    case '6to4':
      found.push(bytes.slice(2, 6));
      break;
    case 'teredo':
      // The server, and the client with inverted bits.
      found.push(
        bytes.slice(4, 8),
        last.map(byte => byte ^ 0xff),
      );
      break;
    case 'rfc6052':
      // A site with 64:ff9b:1::/48 chooses a prefix of 96, 64, 56 or 48 bits (RFC 6052, 2.2).
      found.push(last);
      if (bytes[5] === 1) found.push(at(9, 10, 11, 12), at(7, 9, 10, 11), at(6, 7, 9, 10));
  }
  return found;
}
