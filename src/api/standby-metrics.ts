/** `GET /v1/metrics` of a standby: metrics of its process; all others are 0. */
import type { Config } from '../config/types.ts';
import { Problem } from '../http/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { emptyMetrics } from '../runtime/metrics.ts';
import { createAuth, tokenIn } from '../security/authentication.ts';
import { can } from '../security/can.ts';
import { type CredentialStore, type EarlyReads, StoreUnavailable } from '../store/port.ts';
import type { MetricParts } from './v1/metrics.ts';

/** Throws Problem `unauthorized` and `forbidden`, and StoreUnavailable. */
export function createStandbyMetrics({
  config,
  clock,
  ids,
  log,
  usage,
  early,
}: {
  config: Pick<Config, 'auth' | 'rootPassword'>;
  clock: Clock;
  ids: Ids;
  log: Pick<Log, 'warn' | 'error'>;
  usage: MetricParts['usage'];
  early(): EarlyReads | undefined;
}): (request: Request) => Promise<Response> {
  const beganAt = clock.now();
  const auth = createAuth({ config, store: readOnly(early), clock, ids, log });
  return async request => {
    const user = await auth.who(tokenIn(request));
    if (!user) throw new Problem('unauthorized', 'a valid token is needed: header "Authorization: Bearer ..."');
    if (!can(user, 'metrics')) {
      throw new Problem('forbidden', `the scope of this token is "${user.scope}", but must be "metrics" for this request`);
    }
    const { createRegistry } = await import('./v1/metrics/registry.ts');
    const none = new Map<string, number>();
    const registry = createRegistry(() => ({
      isStandby: true,
      runtime: emptyMetrics(),
      watchers: 0,
      usage: usage(),
      beganAt,
      facts: none,
      finished: none,
      runs: none,
      skipped: none,
      notices: none,
      hosts: none,
      quarantined: 0,
      jobs: { jobs: new Map(), leftOut: 0 },
      scheduleAudit: { unarmed: 0, unarmedTotal: 0, checkedAt: null },
      allocation: { rows: 0, repairs: 0 },
      backups: null,
      files: { files: 0, bytes: 0 },
      postings: new Map(),
    }));
    return new Response(await registry.metrics(), { headers: { 'Content-Type': registry.contentType } });
  };
}

/** Reads tokens and writes nothing: the active center owns the database. */
function readOnly(early: () => EarlyReads | undefined): CredentialStore {
  const refused = async (): Promise<never> => {
    throw new StoreUnavailable('a standby writes nothing');
  };
  return {
    async credential(kind, id) {
      const reads = early();
      if (!reads) throw new StoreUnavailable('the store is not open yet');
      return reads.credential(kind, id);
    },
    credentials: refused,
    putCredential: refused,
    removeCredential: refused,
    spend: refused,
    sweepCredentials: refused,
  };
}
