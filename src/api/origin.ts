/**
 * Requests that a browser sends on behalf of a page that is not ours. They may read nothing (no CORS headers) and must not change anything
 * either: a form or a `fetch` without reading would be enough to start a job.
 */
import { isLoopback } from '../config-values.ts';

const HARMLESS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Is this a change asked for by a page of a foreign origin? Programs send no Origin and are never meant. */
export function isForeign(request: Request, config: { cors: readonly string[]; auth: 'on' | 'off' }): boolean {
  if (HARMLESS.has(request.method)) return false;
  const origin = request.headers.get('origin');
  if (origin === null) {
    const site = request.headers.get('sec-fetch-site');
    return site === 'cross-site' || site === 'same-site';
  }
  return !config.cors.includes(origin) && !isOurs(origin, request, config.auth);
}

/** For the upgrade of a socket the same rule holds whatever its method is. */
export function isOurs(origin: string, request: Request, auth: 'on' | 'off'): boolean {
  if (!URL.canParse(origin)) return false;
  const { host, hostname } = new URL(origin);
  // Without passwords the name in Host proves nothing: a foreign page may have had its name point to this machine.
  if (auth === 'off' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))) return false;
  return host === (request.headers.get('host') ?? new URL(request.url).host);
}
