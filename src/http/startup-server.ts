/**
 * Answers requests while the start of a center waits for its store or for the end of the active
 * center: 503 with the reason.
 */

import type { Config } from '../config/types.ts';
import type { Clock } from '../lib/clock.ts';
import { errorResponse, Problem } from './errors.ts';
import { checkHost } from './origin.ts';
import { type SurfaceRules, surfaceAt } from './surface.ts';
import { listen } from './websocket/index.ts';
import type { Listening } from './websocket/types.ts';

export interface StartupServer {
  /** Answers with this problem. The first call opens the listeners. Never throws. */
  waits(problem: string): void;
  /** Answers as the standby of the center of this name. Opens the listeners, too. */
  standbyOf(name: string): void;
  /** Closes the listeners, so that the center can open them. Idempotent. */
  close(): Promise<void>;
}

/** Grace of open responses when the listeners close. */
const CLOSE_MS = 100;
const RETRY_AFTER_MS = 3_000;

export function createStartupServer({
  config,
  surfaces,
  clock,
  metrics,
}: {
  config: Pick<Config, 'listen' | 'auth'>;
  /** Each has its own errors. */
  surfaces: readonly [SurfaceRules, ...SurfaceRules[]];
  clock: Clock;
  /** Answers `GET /v1/metrics` of a standby. Throws Problem. */
  metrics?(request: Request): Promise<Response>;
}): StartupServer {
  let waiting = new Problem('unavailable', '');
  let opening: Promise<Listening | undefined> | undefined;

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method === 'GET' && pathname === '/v1/health') return Response.json({ status: 'ok' });
    try {
      checkHost(request, config);
      if (metrics && waiting.code === 'standby' && request.method === 'GET' && pathname === '/v1/metrics') return await metrics(request);
      throw waiting;
    } catch (problem) {
      const { status, body, headers } = errorResponse(problem, surfaceAt(surfaces, pathname).errors);
      return Response.json(body, { status, headers });
    }
  }

  function waitFor(reason: Problem): void {
    waiting = reason;
    // The start itself reports an address in use.
    opening ??= listen({ addresses: [...config.listen], fetch: answer, upgrade: () => undefined, clock }).catch(() => undefined);
  }

  return {
    waits(problem) {
      waitFor(new Problem('unavailable', `the start of the center waits for its store: ${problem}`, { retryAfterMs: RETRY_AFTER_MS }));
    },
    standbyOf(name) {
      waitFor(new Problem('standby', `standby of ${name}`, { retryAfterMs: RETRY_AFTER_MS }));
    },
    async close() {
      const listening = await opening;
      await listening?.stop(CLOSE_MS);
    },
  };
}
