/**
 * Ending a process tree: TERM to all of it, a grace, then KILL until a look at the process table
 * finds nothing.
 *
 *   TERM ──> looking, ever less often ──> nothing left: done
 *                 │ grace over
 *                 └──> KILL ──> looking and killing again ──> nothing left: done
 */
import type { Clock } from '../lib/clock.ts';
import type { Spawner, Tree } from './ports.ts';

const FIRST_LOOK_MS = 5;
const LOOK_MS_MAX = 250;

export interface Ending {
  /** Resolves once the TERM was sent; `late`: its first process had ended by itself by then. */
  readonly asked: Promise<{ late: boolean }>;
  /**
   * Resolves when nothing of the tree is alive. A process that even KILL does not end (stuck in the
   * kernel) keeps it waiting, and the run's key taken.
   */
  readonly done: Promise<void>;
  /** The KILL comes `graceMs` from now at the latest. */
  hasten(graceMs: number): void;
  /** Something changed: look now. */
  look(): void;
}

export function endTree(ports: { clock: Clock; spawner: Spawner }, tree: Tree, graceMs: number): Ending {
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

  const asked = spawner.signal(tree, 'TERM');
  const run = async () => {
    let left = (await asked).alive;
    let pauseMs = FIRST_LOOK_MS;
    while (left > 0 && clock.monotonic() < killAt) {
      await wait(Math.min(pauseMs, killAt - clock.monotonic()));
      pauseMs = Math.min(pauseMs * 2, LOOK_MS_MAX);
      left = await spawner.members(tree);
    }
    pauseMs = FIRST_LOOK_MS;
    // Signalling looks first, so the last round of this loop is the look that found nothing.
    while (left > 0) {
      left = (await spawner.signal(tree, 'KILL')).alive;
      if (left > 0) await wait(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LOOK_MS_MAX);
    }
  };

  return {
    asked: asked.then(({ firstHadEnded }) => ({ late: firstHadEnded })),
    done: run(),
    hasten(ms) {
      killAt = Math.min(killAt, clock.monotonic() + ms);
      wake();
    },
    look: () => wake(),
  };
}
