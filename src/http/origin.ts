/**
 * Requests that a browser sends for a page of a foreign origin. Without CORS headers the page
 * cannot read the response; it must not change anything either, since a form is enough to start a
 * job.
 */
import { createBoundedSet } from '../lib/bounded-map.ts';
import { isLoopbackHost } from '../lib/ip-ranges.ts';
import { Problem } from './errors.ts';

const HARMLESS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Does a page of a foreign origin request a change? Programs send no Origin: false. */
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
  const host = request.headers.get('host') ?? hostIn(request.url);
  if (loopbackHosts.has(host)) return;
  if (namesLoopback(host)) {
    loopbackHosts.add(host);
    return;
  }
  const shown = JSON.stringify(host.length > HOST_SHOWN ? `${host.slice(0, HOST_SHOWN)}…` : host);
  throw new Problem(
    'misdirected',
    `Host is ${shown}, but must be a loopback name such as localhost or 127.0.0.1 while TROUPE_AUTH is off; set TROUPE_AUTH=on to serve other names`,
    { field: 'Host' },
  );
}

/** For a request of HTTP/1.0 without a host Bun's `url` is the bare path. */
const hostIn = (url: string): string => (URL.canParse(url) ? new URL(url).host : '');

/** Loopback names of recent requests: parsing one is a hundredth of the cost of a page. */
const loopbackHosts = createBoundedSet<string>(16);

/** Characters of a foreign Host that the refusal quotes. */
const HOST_SHOWN = 100;

/** `host` or `host:port` as in a URL: case-insensitive, an IPv6 literal in brackets. */
function namesLoopback(host: string): boolean {
  if (!/^[^\s/?#@\\]+$/.test(host) || !URL.canParse(`http://${host}`)) return false;
  return isLoopbackHost(new URL(`http://${host}`).hostname);
}

/**
 * Is this the center's own origin? The upgrade of a socket needs that too, although it is a GET.
 */
export function isOurs(origin: string, request: Request, auth: 'on' | 'off'): boolean {
  if (!URL.canParse(origin)) return false;
  const { host, hostname } = new URL(origin);
  // Without authentication Host proves nothing: a foreign name may resolve to this machine.
  if (auth === 'off' && !isLoopbackHost(hostname)) return false;
  return host === (request.headers.get('host') ?? new URL(request.url).host);
}
