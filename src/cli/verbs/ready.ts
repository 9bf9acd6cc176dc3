/** `troupe ready`: for health checks, and for scripts that wait until a center serves. */
import { pause } from '../../lib/clock.ts';
import { EXIT, Failure } from '../failure.ts';
import { durationOption } from '../options.ts';
import { verb } from '../verb.ts';

const LOOK_MS = 250;

export const ready = verb({
  summary: 'ends with 0 when the center serves, else with 4 and the reason',
  takes: [],
  options: { wait: durationOption('wait at most this long until it serves (default: 0)') },
  hints: { timeout: '--wait limits the wait' },
  async run({ client, shell, print, values }) {
    const until = shell.clock.monotonic() + (values.wait ?? 0);
    for (;;) {
      try {
        const answer = await client.call('GET /v1/ready');
        await print.show(answer, () => ['ready', ...(answer.detail ?? [])]);
        return EXIT.done;
      } catch (error) {
        const mayCome = error instanceof Failure && error.exit === EXIT.unreachable;
        if (!mayCome || shell.signal.aborted || shell.clock.monotonic() >= until) throw error;
      }
      await pause(shell.clock, LOOK_MS, shell.signal);
    }
  },
});
