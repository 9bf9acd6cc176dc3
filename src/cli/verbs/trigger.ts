/** `troupe trigger JOB`: run it now. */
import { systemIds } from '../../lib/ids.ts';
import { EXIT, Interrupted } from '../failure.ts';
import { followExecution } from '../follow.ts';
import { flagOption, textOption } from '../options.ts';
import { verb } from '../verb.ts';
import { between } from '../words.ts';
import { stateOf, whyOf } from './executions.ts';

export const trigger = verb({
  summary: 'runs a job now and prints the execution; with --follow its output, and exit code 0 only if it succeeded',
  takes: ['JOB'],
  options: {
    follow: flagOption('show its output until it is done', { short: 'f' }),
    key: textOption('TEXT', 'idempotency key: requests with the same key make one execution'),
  },
  query: async () => (await import('../../protocol/rest/job.ts')).TriggerQuery,
  hints: { timeout: 'the timeout is a setting of the job: "troupe jobs update JOB --timeout 5m"' },
  async run(call) {
    const { client, print, query, shell, values, words } = call;
    const key = values.key ?? systemIds.uuid();
    const params = { name: words[0] ?? '' };
    const { execution } = await client.call('POST /v1/jobs/:name/trigger', { params, key, query }).catch((error: unknown) => {
      if (!shell.signal.aborted) throw error;
      const again = `"troupe trigger ${words[0]} --key ${key}" names the execution, or starts it`;
      throw new Interrupted(`interrupted before the center answered; it may run: ${again}`, error);
    });
    if (!values.follow) {
      await print.show({ execution }, () => [execution]);
      return EXIT.done;
    }
    if (!print.json) shell.notify(execution);
    const done = await followExecution(call, execution);
    if (print.json) await print.each(done, () => '');
    else {
      const [took, why] = [between(done.startedAt, done.finishedAt), whyOf(done)];
      shell.notify(`${execution} ${stateOf(done)}${took ? ` in ${took}` : ''}${why ? `: ${why}` : ''}`);
    }
    return done.outcome === 'succeeded' ? EXIT.done : EXIT.failed;
  },
});
