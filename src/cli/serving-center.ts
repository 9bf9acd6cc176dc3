/** Finds the center that serves, of several: at the first request, and again after a failure. */
import type { Account } from './account.ts';
import { EXIT, Failure } from './failure.ts';
import { errorIn, unreachable } from './response-failure.ts';

export interface ServingCenter {
  /** The address of the center that serves. Throws Failure. */
  url(): Promise<string>;
  /** The next call of `url` looks again: another center may serve by now. */
  lookAgain(): void;
}

export function createServingCenter({
  account,
  signal,
  addresses,
  serves,
}: {
  account(): Promise<Account>;
  signal: AbortSignal;
  /** In the order in which they are tried. */
  addresses(account: Account): Promise<string[]>;
  /** Called with the one of several centers that serves. */
  serves(account: Account, url: string): Promise<void>;
}): ServingCenter {
  let serving: Promise<string> | undefined;
  const lookAgain = () => {
    serving = undefined;
  };
  return {
    url() {
      serving ??= account().then(async one => {
        const all = await addresses(one);
        const url = await firstServing(all, signal);
        if (all.length > 1) await serves(one, url);
        return url;
      });
      serving.catch(lookAgain);
      return serving;
    },
    lookAgain,
  };
}

/** Time limit of the question whether a center serves, ms. */
const LOOK_MS = 3_000;

/**
 * The first that is ready; else the first that answers and is no standby. A request goes to one
 * center only: without an answer its effect is unknown.
 */
async function firstServing(urls: readonly string[], signal: AbortSignal): Promise<string> {
  const [only] = urls;
  if (only !== undefined && urls.length === 1) return only;
  let unready: string | undefined;
  const reasons: string[] = [];
  for (const url of urls) {
    try {
      const until = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
      const response = await fetch(`${url}/v1/ready`, { redirect: 'error', signal: until });
      if (response.ok) return url;
      const { code, message } = errorIn(await response.text());
      if (code === 'standby') reasons.push(`${url} is a ${message}`);
      else unready ??= url;
    } catch (error) {
      if (signal.aborted) throw unreachable(url, error, signal);
      reasons.push(`${url} cannot be reached`);
    }
  }
  if (unready !== undefined) return unready;
  throw new Failure(EXIT.unreachable, `no center serves: ${reasons.join(', ')}`);
}
