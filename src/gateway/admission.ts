/**
 * How many handshakes are looked into at once. After a center's restart every agent comes back
 * within seconds: those beyond the number wait in line, in the order they came, and those beyond
 * the line are sent away to come later.
 */
import { createSemaphore } from '../lib/semaphore.ts';
import type { HubLimits } from './limits.ts';

export interface Admission {
  /** Runs `handshake` in its turn, unless `isWanted` is false by then. False: the line is full. */
  admit(bytes: number, handshake: () => Promise<void>, isWanted: () => boolean): boolean;
}

export function createAdmission(limits: HubLimits): Admission {
  const handshakes = createSemaphore(limits.handshakesMax);
  let waitingBytes = 0;

  return {
    admit(bytes, handshake, isWanted) {
      if (handshakes.waiting >= limits.handshakesWaitingMax || waitingBytes + bytes > limits.handshakesWaitingBytes) return false;
      waitingBytes += bytes;
      void handshakes.run(async () => {
        waitingBytes -= bytes;
        if (isWanted()) await handshake();
      });
      return true;
    },
  };
}
