/** The dependencies of route handlers. `main.ts` builds them. */

import type { Config } from '../config/types.ts';
import type { IdempotencyStore } from '../http/idempotency.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import type { KeyedMutex } from '../lib/keyed-mutex.ts';
import type { Log } from '../lib/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Views } from '../runtime/views.ts';
import type { Auth } from '../security/authentication.ts';
import type { FileService } from '../services/files/index.ts';
import type { Postings } from '../services/postings.ts';
import type { Store } from '../store/port.ts';
import type { WaitUntilVisible } from './commands/read-after-write.ts';

export interface Center {
  runtime: Pick<Runtime, 'ask' | 'release' | 'onFacts'>;
  views: Views;
  store: Pick<
    Store,
    | 'list'
    | 'occurrences'
    | 'summary'
    | 'keptAfter'
    | 'history'
    | 'output'
    | 'outputSums'
    | 'countPostedLogs'
    | 'postedLogs'
    | 'postedLog'
    | 'probe'
  > &
    IdempotencyStore;
  auth: Auth;
  postings: Pick<Postings, 'take' | 'keepLog' | 'report' | 'announce'>;
  files: Pick<FileService, 'upload' | 'uploadPart' | 'stat' | 'list' | 'read' | 'received' | 'remove' | 'naming'>;
  clock: Clock;
  ids: Ids;
  log: Pick<Log, 'info' | 'warn' | 'error'>;
  config: Config;
  /** The bound listeners. Default: those of the configuration. */
  listeners?: () => Config['listen'];
  /** Why the center does not serve; undefined: it serves. For `/v1/ready`. */
  unready?: () => string | undefined;
  /** Warnings of a serving center to its operator, a sentence each: `detail` of `/v1/ready`. */
  warnings?: () => string[];
}

export interface RouteContext extends Center {
  /** Serialises the read-modify-write requests of one actor. */
  inTurn: KeyedMutex;
  waitUntilVisible: WaitUntilVisible;
  /** Names of jobs that existed recently; see `triggerJob`. */
  knownJobs: Set<string>;
}
