/** Requests to app hosts: one over http or https to a checked address. */
import {
  type CheckedRequest,
  ForbiddenAddress,
  type Found,
  type HttpResponse,
  requestBy,
  requestChecked,
  requestUnchecked,
} from '../../lib/checked-request.ts';
import { forbidden } from './addresses.ts';

/**
 * One hop: redirects are answers. Rejects with the error of the network, or with ArtifactError for
 * a forbidden address.
 */
export type Fetch = (url: URL, options: { headers: Record<string, string>; signal: AbortSignal }) => Promise<HttpResponse>;

export const fetchChecked: Fetch = fetchWith(requestChecked);
/** To any address. */
export const fetchUnchecked: Fetch = fetchWith(requestUnchecked);

/** `fetchChecked` with another name service, for tests. */
export const fetchBy = (namesBy: (name: string) => Promise<Found[]>): Fetch => fetchWith(requestBy(namesBy));

function fetchWith(request: CheckedRequest): Fetch {
  return async (url, { headers, signal }) => {
    try {
      // `identity`: what is hashed and unpacked is the file itself.
      return await request(url, { headers: { 'accept-encoding': 'identity', 'user-agent': 'troupe-agent', ...headers }, signal });
    } catch (problem) {
      throw problem instanceof ForbiddenAddress ? forbidden(problem.host, problem.address) : problem;
    }
  };
}
