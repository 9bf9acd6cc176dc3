/**
 * How many handshakes are looked into at once. After a center's restart every agent comes back
 * within seconds: those beyond the number wait in line, in the order they came, and those beyond
 * the line are sent away to come later.
 */
import type { HubLimits } from './limits.ts';

export interface Admission {
  /** Runs `handshake` in its turn, unless `isWanted` is false by then. False: the line is full. */
  admit(bytes: number, handshake: () => Promise<void>, isWanted: () => boolean): boolean;
}

export function createAdmission(limits: HubLimits): Admission {
  const line: { bytes: number; handshake: () => Promise<void>; isWanted: () => boolean }[] = [];
  let next = 0;
  let waitingBytes = 0;
  let active = 0;

  const waiting = () => line.length - next;
  /** Cut now and then, not shifted each time: a line may be ten thousand long. */
  const shift = () => {
    const first = line[next];
    if (first) next++;
    if (next > 1_000 || next === line.length) {
      line.splice(0, next);
      next = 0;
    }
    return first;
  };

  const pump = () => {
    while (active < limits.handshakesMax) {
      const one = shift();
      if (!one) return;
      waitingBytes -= one.bytes;
      if (!one.isWanted()) continue;
      active++;
      void one.handshake().finally(() => {
        active--;
        pump();
      });
    }
  };

  return {
    admit(bytes, handshake, isWanted) {
      if (waiting() >= limits.handshakesWaitingMax || waitingBytes + bytes > limits.handshakesWaitingBytes) return false;
      line.push({ bytes, handshake, isWanted });
      waitingBytes += bytes;
      pump();
      return true;
    },
  };
}
