/** Whether an agent is alive: a ping, and any frame after it within a time limit. */
import type { Clock } from '../lib/clock.ts';

interface ResponsivenessCheck {
  /** Whether a frame arrives within `ms`. False at once unless the session is up. */
  isResponsive(ms: number): Promise<boolean>;
  /** A frame has arrived, or the session has ended: a pending check ends. */
  settle(): void;
}

export function createResponsivenessCheck(parts: { clock: Clock; isUp(): boolean; ping(): void }): ResponsivenessCheck {
  let settle = () => {};

  return {
    isResponsive(ms) {
      if (!parts.isUp()) return Promise.resolve(false);
      return new Promise(resolve => {
        const disarm = parts.clock.after(ms, () => {
          settle = () => {};
          resolve(false);
        });
        settle = () => {
          disarm();
          settle = () => {};
          resolve(parts.isUp());
        };
        parts.ping();
      });
    },
    settle: () => settle(),
  };
}
