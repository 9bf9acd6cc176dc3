/**
 * Heartbeats. Each beat pings every session and closes those that were silent for three; a beat
 * that comes late says that this process slept, and time in which we could not hear does not count
 * as silence.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import type { Session } from './session.ts';

/** Heartbeats without a frame after which an agent counts as gone. */
const SILENT_HEARTBEATS = 3;

export function beat(parts: {
  clock: Clock;
  heartbeatMs: number;
  sessions(): Iterable<Session>;
  /** Our own sleep, ms, when it was longer than a heartbeat. */
  slept(ms: number): void;
  /** Once per beat, with the ms by which it came late. */
  onBeat(lateMs: number): void;
}): Disarm {
  const { clock, heartbeatMs } = parts;
  let beats = 0;
  let disarm: Disarm = () => {};

  const arm = () => {
    const due = clock.monotonic() + heartbeatMs;
    disarm = clock.after(heartbeatMs, () => {
      const now = clock.monotonic();
      const late = Math.max(0, now - due);
      if (late > heartbeatMs) parts.slept(late);
      arm();
      const nonce = String(++beats);
      for (const session of parts.sessions()) {
        session.heard = Math.min(now, session.heard + late);
        if (now - session.heard >= SILENT_HEARTBEATS * heartbeatMs) {
          session.close(4000, `the agent was silent for ${Math.round(now - session.heard)} ms`);
        } else session.send({ type: 'ping', nonce });
      }
      parts.onBeat(late);
    });
  };
  arm();
  return () => disarm();
}
