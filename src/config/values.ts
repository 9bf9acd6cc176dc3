/** How each setting of the center is written: text -> value, or an issue that names the reason. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { isTimeZone } from '../../actors/schedule/index.ts';
import { commaList } from '../lib/comma-list.ts';
import { asHostRules, HOST_RULES } from '../lib/host-policy.ts';
import type { Config, Listener } from './types.ts';

type Context = z.core.$RefinementCtx<unknown>;

function expected(context: Context, input: unknown, message: string): never {
  context.issues.push({ code: 'custom', input, message });
  return z.NEVER;
}

export function readListeners(text: string, context: Context): Listener[] {
  const rule = 'must be host:port, or several of them separated by commas, such as 127.0.0.1:8899 or [::1]:8899';
  const listeners: Listener[] = [];
  for (const word of commaList(text)) {
    const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(word);
    const host = found?.[1] ?? found?.[2];
    const port = Number(found?.[3]);
    if (!host || !(port <= 65535)) return expected(context, text, rule);
    if (port !== 0 && listeners.some(other => other.host === host && other.port === port)) {
      return expected(context, text, `names ${word} twice`);
    }
    listeners.push({ host, port });
  }
  return listeners.length > 0 ? listeners : expected(context, text, rule);
}

export function readStore(text: string, context: Context): Config['store'] {
  if (text === 'sqlite') return { kind: 'sqlite' };
  const [, srv, hosts = '', database = ''] = /^mongodb(\+srv)?:\/\/(?:[^@/?]*@)?([^/?@]*)(?:\/([^?]*))?(?:\?.*)?$/.exec(text) ?? [];
  if (!/^mongodb(\+srv)?:\/\//.test(text)) return expected(context, text, 'must be sqlite, or mongodb://host/database');
  if (hosts === '') return expected(context, text, 'must name a host: mongodb://host/database, or mongodb://one,two,three/database');
  if (srv && /[,:]/.test(hosts)) return expected(context, text, 'must name one host without a port after mongodb+srv://');
  if (!hosts.split(',').every(isMongoHost)) return expected(context, text, 'must name its hosts as host or host:port, separated by commas');
  if (database === '') return expected(context, text, 'must name the database: mongodb://host/database');
  if (!/^[A-Za-z0-9_-]{1,38}$/.test(database)) {
    return expected(context, text, 'must name a database of 1 to 38 letters, digits, "_" and "-": mongodb://host/database');
  }
  return { kind: 'mongodb', url: text };
}

/**
 * A URL without secrets: `***` replaces the text between "user:" and the last "@", a "port" that is
 * no number (a password without its "@host"), and the value of a parameter that is named like a
 * secret.
 */
export function withoutSecrets(url: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)?(.*)$/is.exec(url) ?? [];
  const shown = /^[^:@]*:.*@/s.test(rest)
    ? rest.replace(/^([^:@]*:).*@/s, '$1***@')
    : rest.replace(/^[^/?]*/, hosts => hosts.replace(/([^\s:,[\]]+:)(?!\d{1,5}(?:,|$))[^,[\]]+/g, '$1***'));
  return scheme + shown.replace(/([?&][^=&]*(?:pass|secret|token|key|properties)[^=&]*=)[^&]*/gi, '$1***');
}

const isMongoHost = (host: string): boolean => {
  const [, port = '1'] = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/.exec(host) ?? ['', '0'];
  return Number(port) >= 1 && Number(port) <= 65535;
};

export function readOnOff(text: string, context: Context): 'on' | 'off' {
  return text === 'on' || text === 'off' ? text : expected(context, text, 'must be on or off');
}

export const readWhole =
  (min: number, max: number) =>
  (text: string, context: Context): number => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    return expected(context, text, `must be a whole number from ${min} to ${max}`);
  };

const DAY_MS = 86_400_000;

/** Days, maybe with a fraction, as ms. */
export const readDays =
  (min: number, max: number) =>
  (text: string, context: Context): number => {
    const number = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && number >= min && number <= max) return Math.round(number * DAY_MS);
    return expected(context, text, `must be a number of days from ${min} to ${max}`);
  };

export function readZone(text: string, context: Context): string {
  return isTimeZone(text) ? text : expected(context, text, 'must be an IANA time zone such as Europe/Berlin');
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
const FORMATS = ['json', 'pretty'] as const;

/** One or both of level and format: `info`, `json`, `debug,pretty`. */
export function readLog(text: string, context: Context): Config['log'] {
  const log: Config['log'] = { level: 'info', format: 'pretty' };
  for (const word of commaList(text.replaceAll(' ', ','))) {
    const level = LEVELS.find(each => each === word);
    const format = FORMATS.find(each => each === word);
    if (level) log.level = level;
    else if (format) log.format = format;
    else return expected(context, text, `must be one of ${LEVELS.join(', ')}, or one of ${FORMATS.join(', ')}, or both with a comma`);
  }
  return log;
}

export function readNetworks(text: string, context: Context): string[] {
  const rule = 'must be addresses or networks of proxies such as 127.0.0.1 or 10.0.0.0/8, separated by commas';
  const networks = commaList(text);
  return networks.every(network => isIP(network) !== 0 || ipaddr.isValidCIDR(network)) ? networks : expected(context, text, rule);
}

export function readOrigins(text: string, context: Context): string[] {
  const rule = 'must be origins such as https://console.example.org, separated by commas';
  const origins = commaList(text);
  return origins.every(origin => URL.canParse(origin) && new URL(origin).origin === origin) ? origins : expected(context, text, rule);
}

export function readSmtp(text: string | undefined, context: Context): Config['smtp'] {
  if (text === undefined) return null;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    return expected(context, text, 'must be smtp://user:password@host:25, or smtps:// for TLS from the first byte');
  }
  const tls = url.protocol === 'smtps:';
  const secret = (part: string) => (part === '' ? null : decode(part));
  return {
    host: url.hostname,
    port: Number(url.port) || (tls ? 465 : 25),
    tls,
    user: secret(url.username),
    password: secret(url.password),
  };
}

/** A stray per cent sign in a password stays as it is. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** null: any host. */
export function readHosts(text: string | undefined, context: Context): string[] | null {
  return text === undefined ? null : (asHostRules(commaList(text)) ?? expected(context, text, HOST_RULES));
}
