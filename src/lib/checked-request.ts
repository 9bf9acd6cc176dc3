/**
 * One request over http or https to a checked address. The request connects to the checked address:
 * the name cannot resolve to another one in between.
 * A start does without `node:http`, so the first request loads it.
 */
import { lookup as resolve } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { hostOf, isForbidden } from './host-policy.ts';

export interface HttpResponse {
  status: number;
  /** Lower-case names. */
  header(name: string): string | undefined;
  /** Throws when the connection breaks before the end. */
  body: AsyncIterable<Uint8Array>;
  /** Gives the body up. */
  cancel(): void;
}

/** A name resolves to an address that no request may go to. */
export class ForbiddenAddress extends Error {
  readonly host: string;
  readonly address: string;
  constructor(host: string, address: string) {
    super(`${host} is at ${address}, a link-local or metadata address, which is never allowed`);
    this.host = host;
    this.address = address;
  }
}

interface RequestOptions {
  method?: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

/**
 * One hop: redirects are answers. Rejects with the error of the network, or with ForbiddenAddress.
 * Does not check an address that stands in the URL itself: see `misfitOf`.
 */
export type CheckedRequest = (url: URL, options: RequestOptions) => Promise<HttpResponse>;

export type Found = { address: string; family: number };
type Resolved = (problem: Error | null, found: string | Found[], family?: number) => void;

export const requestChecked: CheckedRequest = (url, options) => requestBy(addressesOf)(url, options);
/** To any address. */
export const requestUnchecked: CheckedRequest = (url, options) => requestBy(addressesOf, () => false)(url, options);

/** `requestChecked` with another name service, for tests. */
export const requestBy =
  (namesBy: (name: string) => Promise<Found[]>, isRefused: (address: string) => boolean = isForbidden): CheckedRequest =>
  async (url, { method = 'GET', headers, body, signal }) => {
    const host = hostOf(url);
    let checked = isIP(host) !== 0;
    const check = (found: Found[]) => {
      const bad = found.find(one => isRefused(one.address));
      if (bad) throw new ForbiddenAddress(host, bad.address);
      checked = true;
      return found;
    };
    const lookup = (name: string, want: { all?: boolean }, done: Resolved) => {
      namesBy(name)
        .then(check)
        .then(
          found => (want.all ? done(null, found) : done(null, found[0]?.address ?? '', found[0]?.family)),
          problem => done(problem, []),
        );
    };
    const { request: send } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'));
    signal.throwIfAborted();
    const answer = await new Promise<IncomingMessage>((answered, failed) => {
      const options = {
        host,
        port: url.port || (url.protocol === 'https:' ? 443 : 80),
        path: `${url.pathname}${url.search}`,
        method,
        headers: { host: url.host, ...credentials(url), ...headers },
        agent: false,
        signal,
        lookup: lookup as LookupFunction,
      };
      const request = send(options, answered);
      request.on('error', failed);
      request.end(body);
    });
    try {
      // A runtime that does not call our lookup must not bypass the check.
      if (!checked) check(await namesBy(host));
    } catch (problem) {
      answer.destroy();
      throw problem;
    }
    return {
      status: answer.statusCode ?? 0,
      header: name => {
        const value = answer.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      body: answer,
      cancel: () => answer.destroy(),
    };
  };

const addressesOf = (name: string): Promise<Found[]> =>
  new Promise((found, failed) => resolve(name, { all: true }, (problem, addresses) => (problem ? failed(problem) : found(addresses))));

function credentials(url: URL): Record<string, string> {
  if (!url.username && !url.password) return {};
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** A percent sign that escapes nothing is literal: the text is used as written. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
