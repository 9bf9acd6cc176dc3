/** Ends runs with `disconnect: stop` once the center was unreachable for their `disconnectMs`. */
import type { Clock, Disarm } from '../../lib/clock.ts';
import type { Journal } from '../journal.ts';
import type { Runs } from './index.ts';
import { mustEnd } from './records.ts';

export interface DisconnectWatch {
  /** The link is down, or a run was added while it is. Idempotent. */
  down(): void;
  up(): void;
}

export function createDisconnectWatch(parts: {
  clock: Clock;
  journal: Journal;
  runs: Pick<Runs, 'end'>;
  /** Monotonic ms of the last frame of the center. */
  lastFrameAt(): number;
}): DisconnectWatch {
  const { clock, journal, runs } = parts;
  let disarm: Disarm = () => {};

  const check = () => {
    disarm();
    const awayMs = clock.monotonic() - parts.lastFrameAt();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [run, record] of journal.records) {
      const { spec } = record;
      if (record.endedAt !== null || mustEnd(record) || spec?.disconnect !== 'stop' || spec.disconnectMs === 0) continue;
      if (awayMs >= spec.disconnectMs) runs.end(run, 'disconnected', `the center was out of reach for ${spec.disconnectMs} ms`);
      else nextMs = Math.min(nextMs, spec.disconnectMs - awayMs);
    }
    if (Number.isFinite(nextMs)) disarm = clock.after(nextMs, check);
  };

  return { down: check, up: () => disarm() };
}
