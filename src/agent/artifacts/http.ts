/**
 * One request over http or https to a checked address. The request connects to the checked address:
 * the name cannot resolve to another one in between.
 */
import { lookup as resolve } from 'node:dns';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { hostOf, isForbidden } from '../../lib/host-policy.ts';
import { forbidden } from './addresses.ts';

export interface HttpResponse {
  status: number;
  /** Lower-case names. */
  header(name: string): string | undefined;
  /** Throws when the connection breaks before the end. */
  body: AsyncIterable<Uint8Array>;
  /** Gives the body up. */
  cancel(): void;
}

/**
 * One hop: redirects are answers. Rejects with the error of the network, or with ArtifactError for
 * a forbidden address.
 */
export type Fetch = (url: URL, options: { headers: Record<string, string>; signal: AbortSignal }) => Promise<HttpResponse>;

type Found = { address: string; family: number };
type Resolved = (problem: Error | null, found: string | Found[], family?: number) => void;

export const fetchChecked: Fetch = (url, options) => fetchBy(addressesOf)(url, options);
/** To any address. */
export const fetchUnchecked: Fetch = (url, options) => fetchBy(addressesOf, () => false)(url, options);

/** `fetchChecked` with another name service, for tests. */
export const fetchBy =
  (namesBy: (name: string) => Promise<Found[]>, isRefused: (address: string) => boolean = isForbidden): Fetch =>
  async (url, { headers, signal }) => {
    const host = hostOf(url);
    let checked = isIP(host) !== 0;
    const check = (found: Found[]) => {
      const bad = found.find(one => isRefused(one.address));
      if (bad) throw forbidden(host, bad.address);
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
    const answer = await new Promise<IncomingMessage>((answered, failed) => {
      const options = {
        host,
        port: url.port || (url.protocol === 'https:' ? 443 : 80),
        path: `${url.pathname}${url.search}`,
        method: 'GET',
        // `identity`: what is hashed and unpacked is the file itself.
        headers: { host: url.host, 'accept-encoding': 'identity', 'user-agent': 'troupe-agent', ...credentials(url), ...headers },
        agent: false,
        signal,
        lookup: lookup as LookupFunction,
      };
      const request = url.protocol === 'https:' ? requestHttps(options, answered) : requestHttp(options, answered);
      request.on('error', failed);
      request.end();
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
