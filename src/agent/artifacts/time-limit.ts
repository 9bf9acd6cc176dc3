/** The time of one download: the whole of it, and without a byte. */
import type { Clock } from '../../lib/clock.ts';
import { ArtifactError } from '../ports.ts';
import type { ArtifactLimits } from './limits.ts';

interface TimeLimit {
  /** Aborts with the given one, or when the time is over. */
  signal: AbortSignal;
  /** Something arrived. Throws the reason of `signal` once that aborted. */
  progress(): void;
  /** The error, when the time is over. */
  late(): ArtifactError | undefined;
  stop(): void;
}

/** `what` does not arrive, `from` is silent: for the messages. */
export function limitTime(
  { clock, limits }: { clock: Clock; limits: ArtifactLimits },
  signal: AbortSignal,
  { what, from }: { what: string; from: string },
): TimeLimit {
  const own = new AbortController();
  let verdict: ArtifactError | undefined;
  const expire = (message: string) => () => {
    verdict = new ArtifactError('unreachable', message, { transient: true });
    own.abort(verdict);
  };
  const whole = clock.after(limits.downloadMs, expire(`${what} did not arrive within ${limits.downloadMs} ms`));
  const silent = expire(`${from} sent nothing for ${limits.idleMs} ms`);
  let idle = clock.after(limits.idleMs, silent);
  const pass = () => own.abort(signal.reason);
  if (signal.aborted) pass();
  signal.addEventListener('abort', pass, { once: true });
  return {
    signal: own.signal,
    progress() {
      idle();
      idle = clock.after(limits.idleMs, silent);
      own.signal.throwIfAborted();
    },
    late: () => verdict,
    stop() {
      whole();
      idle();
      signal.removeEventListener('abort', pass);
    },
  };
}
