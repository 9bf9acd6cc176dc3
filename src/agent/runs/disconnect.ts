/**
 * Runs that must not outlive the link for long: `disconnect: stop` ends them once the center was
 * out of reach for their `disconnectMs`.
 */
import type { Clock, Disarm } from '../../lib/clock.ts';
import type { Journal } from '../journal.ts';
import { mustEnd } from './records.ts';

export interface DisconnectWatch {
  /** The link is down, or one more run is to be watched while it is. */
  down(): void;
  up(): void;
}

export function createDisconnectWatch(parts: {
  clock: Clock;
  journal: Journal;
  /** Monotonic ms at which the center was last heard. */
  heardAt(): number;
  /** The run's time without its center is over. */
  stop(run: string, reason: string): void;
}): DisconnectWatch {
  const { clock, journal } = parts;
  let disarm: Disarm = () => {};

  const look = () => {
    disarm();
    const awayMs = clock.monotonic() - parts.heardAt();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [run, record] of journal.records) {
      const { spec } = record;
      if (record.endedAt !== null || mustEnd(record) || spec?.disconnect !== 'stop' || spec.disconnectMs === 0) continue;
      if (awayMs >= spec.disconnectMs) parts.stop(run, `the center was out of reach for ${spec.disconnectMs} ms`);
      else nextMs = Math.min(nextMs, spec.disconnectMs - awayMs);
    }
    if (Number.isFinite(nextMs)) disarm = clock.after(nextMs, look);
  };

  return { down: look, up: () => disarm() };
}
