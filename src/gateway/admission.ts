/**
 * Limits concurrent handshakes. After a restart of the center every agent reconnects within
 * seconds. Handshakes beyond the limit wait in order of arrival; a full queue refuses further ones.
 */
import { createSemaphore } from '../lib/semaphore.ts';
import type { HubLimits } from './limits.ts';

export interface Admission {
  /** Runs `handshake` in its turn, unless `isWanted` is false by then. False: the queue is full. */
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
