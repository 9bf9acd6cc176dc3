/** The heartbeat of a session that is up: a half-open socket reports no close. */
import type { Clock, Disarm } from '../../lib/clock.ts';

/** Heartbeats without any frame that end a session. */
const SILENT_HEARTBEATS = 3;

/** Pings at each heartbeat until disarmed; calls `silent` once instead when no frame arrives. */
export function armHeartbeat(
  clock: Clock,
  heartbeatMs: number,
  on: { silentMs(): number; ping(nonce: string): void; silent(ms: number): void },
): Disarm {
  let disarm: Disarm = () => {};
  let pings = 0;
  const arm = () => {
    disarm = clock.after(heartbeatMs, () => {
      const silentMs = on.silentMs();
      if (silentMs >= SILENT_HEARTBEATS * heartbeatMs) return on.silent(silentMs);
      on.ping(String(++pings));
      arm();
    });
  };
  arm();
  return () => disarm();
}
