/**
 * Requests that a browser sends on behalf of a page that is not ours. They may read nothing (no
 * CORS headers) and must not change anything either: a form or a `fetch` without reading would be
 * enough to start a job.
 */
import { isLoopbackHost } from '../lib/ip-ranges.ts';
import { Problem } from './errors.ts';

const HARMLESS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Does a page of a foreign origin ask for a change? Programs send no Origin: false. */
export function isForeign(request: Request, config: { cors: readonly string[]; auth: 'on' | 'off' }): boolean {
  if (HARMLESS.has(request.method)) return false;
  const origin = request.headers.get('origin');
  if (origin === null) {
    const site = request.headers.get('sec-fetch-site');
    return site === 'cross-site' || site === 'same-site';
  }
  return !config.cors.includes(origin) && !isOurs(origin, request, config.auth);
}

/**
 * Without authentication only loopback names are served, on every method, route and socket. A page
 * of `evil.example` may later let that name resolve to this machine (DNS rebinding); the browser
 * then takes the center for the page's own origin. Throws Problem `misdirected`.
 */
export function checkHost(request: Request, { auth }: { auth: 'on' | 'off' }): void {
  if (auth === 'on') return;
  // Bun gives the bare path where a request of HTTP/1.0 names no host.
  const named = URL.canParse(request.url) ? new URL(request.url).host : '';
  const host = request.headers.get('host') ?? named;
  if (namesLoopback(host)) return;
  const shown = JSON.stringify(host.length > HOST_SHOWN ? `${host.slice(0, HOST_SHOWN)}…` : host);
  throw new Problem(
    'misdirected',
    `Host is ${shown}, but must be a loopback name such as localhost or 127.0.0.1 while TROUPE_AUTH is off; turn it on to serve other names`,
    { field: 'Host' },
  );
}

/** Characters of a foreign Host that the refusal repeats. */
const HOST_SHOWN = 100;

/** `host` or `host:port`, as a URL would have it: in any case, and an IPv6 literal in brackets. */
function namesLoopback(host: string): boolean {
  if (!/^[^\s/?#@\\]+$/.test(host) || !URL.canParse(`http://${host}`)) return false;
  return isLoopbackHost(new URL(`http://${host}`).hostname);
}

/** For the upgrade of a socket the same rule holds whatever its method is. */
export function isOurs(origin: string, request: Request, auth: 'on' | 'off'): boolean {
  if (!URL.canParse(origin)) return false;
  const { host, hostname } = new URL(origin);
  // Without passwords Host proves nothing: a foreign page may resolve to this machine.
  if (auth === 'off' && !isLoopbackHost(hostname)) return false;
  return host === (request.headers.get('host') ?? new URL(request.url).host);
}
