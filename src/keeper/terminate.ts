/**
 * Terminates a process tree: TERM, a grace, then KILL until the process table shows none of it.
 *
 *   TERM ──> polling, ever less often ──> none left: done
 *                 │ grace over
 *                 └──> KILL ──> polling and killing again ──> none left: done
 */
import { createGrowingDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { ProcessTree, Spawner } from './ports.ts';

const POLLS = { baseMs: 5, capMs: 250 };

export interface Termination {
  /** Resolves once the TERM was sent. `hadExited`: the first process had exited before it. */
  readonly termSent: Promise<{ hadExited: boolean }>;
  /**
   * Resolves when no process of the tree is alive. Pending as long as one survives KILL (stuck in
   * the kernel), and then the run does not end either.
   */
  readonly done: Promise<void>;
  /** Sends the KILL `graceMs` from now at the latest. */
  shortenGrace(graceMs: number): void;
  /** Polls now. */
  poll(): void;
}

export function terminateTree(ports: { clock: Clock; spawner: Spawner }, tree: ProcessTree, graceMs: number): Termination {
  const { clock, spawner } = ports;
  let killAt = clock.monotonic() + graceMs;
  let wake = () => {};
  const wait = (ms: number) =>
    new Promise<void>(resolve => {
      const disarm = clock.after(ms, resolve);
      wake = () => {
        disarm();
        resolve();
      };
    });

  const sent = spawner.signal(tree, 'TERM');
  const run = async () => {
    let alive = (await sent).alive;
    const pause = createGrowingDelay(POLLS);
    while (alive > 0 && clock.monotonic() < killAt) {
      await wait(Math.min(pause.next(), killAt - clock.monotonic()));
      alive = await spawner.countAlive(tree);
    }
    pause.reset();
    // `signal` polls before it kills, so the last round is a poll that found none.
    while (alive > 0) {
      alive = (await spawner.signal(tree, 'KILL')).alive;
      if (alive > 0) await wait(pause.next());
    }
  };

  return {
    termSent: sent.then(({ firstHadExited }) => ({ hadExited: firstHadExited })),
    done: run(),
    shortenGrace(ms) {
      killAt = Math.min(killAt, clock.monotonic() + ms);
      wake();
    },
    poll: () => wake(),
  };
}
