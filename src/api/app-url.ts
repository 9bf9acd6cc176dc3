/** Which addresses an app may be fetched from. The agent judges again what the name resolves to; what can be seen in the text is said at once. */
import type { Config } from '../config.ts';
import { Problem } from './errors.ts';

/** Throws Problem naming `field`. */
export function checkAppUrl(url: string, config: Pick<Config, 'artifactHosts'>, field: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const no = (must: string) => new Problem('invalid', `${field} is ${JSON.stringify(url.slice(0, 200))}, but must be ${must}.`, { field });
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.hostname === '') throw no('an http or https URL');
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  if (isLinkLocal(host)) throw no('an address that is not link-local: those belong to the machine and its cloud');
  if (config.artifactHosts && !config.artifactHosts.includes(host)) throw no(`on one of the hosts ${config.artifactHosts.join(', ')}`);
}

/** 169.254.0.0/16 and fe80::/10, also as IPv4 inside IPv6; the URL parser has written them in one way already. */
const isLinkLocal = (host: string): boolean =>
  /^169\.254\./.test(host) || /^fe[89ab][0-9a-f]:/i.test(host) || /^::ffff:a9fe:/i.test(host) || host === 'metadata.google.internal';
