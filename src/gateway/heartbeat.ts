/**
 * Heartbeats. Each one pings every session and closes those that were silent for three. A late
 * heartbeat means that this process slept; that time does not count as silence.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import type { AgentSession } from './session.ts';

/** Heartbeats without a frame after which a session is closed. */
const SILENT_HEARTBEATS = 3;

export function startHeartbeat(parts: {
  clock: Clock;
  heartbeatMs: number;
  sessions(): Iterable<AgentSession>;
  /** This process slept for `ms`, longer than one heartbeat. */
  onSleep(ms: number): void;
  /** Once per heartbeat, with the ms by which it was late. */
  onHeartbeat(lateMs: number): void;
}): Disarm {
  const { clock, heartbeatMs } = parts;
  let count = 0;
  let disarm: Disarm = () => {};

  const arm = () => {
    const due = clock.monotonic() + heartbeatMs;
    disarm = clock.after(heartbeatMs, () => {
      const now = clock.monotonic();
      const late = Math.max(0, now - due);
      if (late > heartbeatMs) parts.onSleep(late);
      arm();
      const nonce = String(++count);
      for (const session of parts.sessions()) {
        session.lastFrameAt = Math.min(now, session.lastFrameAt + late);
        if (now - session.lastFrameAt >= SILENT_HEARTBEATS * heartbeatMs) {
          session.close(4000, `the agent was silent for ${Math.round(now - session.lastFrameAt)} ms`);
        } else session.send({ type: 'ping', nonce });
      }
      parts.onHeartbeat(late);
    });
  };
  arm();
  return () => disarm();
}
