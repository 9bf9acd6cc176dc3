/** What the routes of the front door work with; `main.ts` puts it together. */

import type { Arrived } from '../api/commands/read-after-write.ts';
import type { Config } from '../config/center.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import type { KeyedMutex } from '../lib/keyed-mutex.ts';
import type { Log as WholeLog } from '../lib/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Views } from '../runtime/views.ts';
import type { Auth } from '../security/authentication.ts';
import type { Store } from '../store/port.ts';
import type { Keeping } from './idempotency.ts';

/** What the front door says to people. */
export type Log = Pick<WholeLog, 'info' | 'warn' | 'error'>;

export interface Center {
  runtime: Pick<Runtime, 'ask' | 'release' | 'onFacts'>;
  views: Views;
  store: Pick<Store, 'occurrences' | 'summary' | 'keptAfter' | 'history' | 'output' | 'outputSums' | 'probe'> & Keeping;
  auth: Auth;
  clock: Clock;
  ids: Ids;
  log: Log;
  config: Pick<Config, 'auth' | 'cors' | 'pool' | 'timeZone' | 'artifactHosts' | 'fileUrls'>;
  /** Why the center does not serve yet, or no more; undefined when it does. For `/v1/ready`. */
  unready?: () => string | undefined;
  /** Warnings to an operator of a serving center, a sentence each: `detail` of `/v1/ready`. */
  warnings?: () => string[];
}

/** The center as the routes see it. */
export interface Desk extends Center {
  inTurn: KeyedMutex;
  arrived: Arrived;
}
