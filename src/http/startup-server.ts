/** Answers requests while the start of a center waits for its store: 503 with what it waits for. */

import type { Config } from '../config/center.ts';
import type { Clock } from '../lib/clock.ts';
import { answerTo, Problem } from './errors.ts';
import { type Listening, listen } from './websocket/index.ts';

export interface StartupServer {
  /** The start waits because of this. The first call opens the listeners. Never throws. */
  waits(problem: string): void;
  /** Closes the listeners, so that others may open there. Idempotent. */
  close(): Promise<void>;
}

const CUT_MS = 100;
const RETRY_AFTER_MS = 3_000;

export function createStartupServer({ config, clock }: { config: Pick<Config, 'listen'>; clock: Clock }): StartupServer {
  let problem = '';
  let opening: Promise<Listening | undefined> | undefined;

  function fetch(request: Request): Response {
    if (request.method === 'GET' && new URL(request.url).pathname === '/v1/health') return Response.json({ status: 'ok' });
    const waiting = new Problem('unavailable', `the start of the center waits for its store: ${problem}`, { retryAfterMs: RETRY_AFTER_MS });
    const { status, body, headers } = answerTo(waiting, 'v1');
    return Response.json(body, { status, headers });
  }

  return {
    waits(now) {
      problem = now;
      // An address that is taken is reported by the start itself.
      opening ??= listen({ addresses: [...config.listen], fetch, upgrade: () => undefined, clock }).catch(() => undefined);
    },
    async close() {
      const listening = await opening;
      await listening?.stop(CUT_MS);
    },
  };
}
