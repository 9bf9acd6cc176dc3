/**
 * Reads both pipes of a process to their end, or until only an unrelated process holds them open.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import type { OutputSource, OutputStreamName, StartedProcess } from './ports.ts';

/** After the process has exited, reading ends when no byte came for this long ... */
const DRAIN_QUIET_MS = 100;
/** ... and after this long in any case. */
const DRAIN_MS_MAX = 2_000;

export interface OutputPump {
  /** Resolves at the end of both pipes. Call it once the processes have exited. */
  drain(): Promise<void>;
}

/** `onData` must not keep the bytes: they are valid during the call only. */
export function startPump(clock: Clock, process: StartedProcess, onData: (stream: OutputStreamName, data: Uint8Array) => void): OutputPump {
  let isOpen = true;
  let reads = 0;

  async function pump(stream: OutputStreamName, source: OutputSource): Promise<void> {
    for (let data = await source.read(); data !== null; data = await source.read()) {
      reads += 1;
      onData(stream, data);
    }
  }

  const closed = Promise.all([pump('stdout', process.stdout), pump('stderr', process.stderr)]).then(() => {
    isOpen = false;
  });

  return {
    async drain() {
      const deadline = clock.monotonic() + DRAIN_MS_MAX;
      // Most runs have closed their pipes by now and need no timer.
      await new Promise<void>(resolve => clock.soon(resolve));
      while (isOpen) {
        const before = reads;
        let disarm: Disarm = () => {};
        const quiet = new Promise<void>(resolve => {
          disarm = clock.after(DRAIN_QUIET_MS, resolve);
        });
        await Promise.race([closed, quiet]);
        disarm();
        if (isOpen && (reads === before || clock.monotonic() >= deadline)) {
          process.stdout.cancel();
          process.stderr.cancel();
          return closed;
        }
      }
    },
  };
}
