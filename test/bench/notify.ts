/**
 * Executions per second of jobs that notify of each success, each an address of its own at a mail
 * server on loopback, beside the same without; and the time from the end of a lone run to its mail.
 */
import { aMailServer, type MailServer } from '../support/mail-server.ts';
import { aBareCluster } from './cluster.ts';
import { watchFinished } from './facts.ts';
import { JOBS, warm } from './noop.ts';
import { atLeast, atMost, type BenchResult, median, quantile, rounded, type Size } from './report.ts';

const notify = (address: string) => ({ notify: { succeed: { to: [address] } } });

export async function bench({ quick }: Size): Promise<BenchResult> {
  const executions = quick ? 500 : 5_000;
  const rounds = quick ? 2 : 5;
  const mail = await aMailServer();
  const [quiet, loud] = [await aBareCluster(), await aBareCluster({ env: { TROUPE_SMTP: `smtp://127.0.0.1:${mail.port}` } })];
  try {
    const sides = { quiet: await warm(quiet, executions), loud: await warm(loud, executions, job => notify(`job${job}@x.org`)) };
    const rates = { quiet: [] as number[], loud: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      for (const side of ['quiet', 'loud'] as const) rates[side].push(await sides[side].loop.round(executions));
    }
    const mails = mail.mails.length;
    const delays = await loneRuns(loud, mail, quick ? 10 : 50);
    for (const { fleet, loop } of Object.values(sides)) {
      loop.close();
      await fleet.close();
    }
    return {
      name: 'notify',
      judged: [
        atLeast('executions/s of those without', rounded((100 * median(rates.loud)) / median(rates.quiet), 1), 75, '%'),
        atMost('from the end of a lone run to its mail, p99', Math.round(quantile(delays, 0.99)), 500, 'ms'),
      ],
      figures: {
        ...{ jobs: JOBS, executionsPerRound: executions, rounds, mails },
        ...{ perSecondWithout: Math.round(median(rates.quiet)), perSecondWith: Math.round(median(rates.loud)) },
        medianToMailMs: Math.round(median(delays)),
      },
    };
  } finally {
    await quiet.close();
    await loud.close();
    await mail.close();
  }
}

/** From the end of a run to its mail, ms: one job after the other, each to its own address. */
async function loneRuns(cluster: Awaited<ReturnType<typeof aBareCluster>>, mail: MailServer, count: number): Promise<number[]> {
  const finished = await watchFinished(cluster.url);
  const delays: number[] = [];
  for (let run = 0; run < count; run++) {
    const [name, to] = [`lone${run}`, `lone${run}@x.org`];
    await cluster.call('POST', '/v1/jobs', { name, command: ['true'], resources: { cpus: 0.01, memoryMB: 1 }, ...notify(to) });
    const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}/trigger`);
    await finished.of(execution);
    const { finishedAt } = await cluster.call<{ finishedAt: string }>('GET', `/v1/executions/${encodeURIComponent(execution)}`);
    let arrived = mail.mails.find(({ recipients }) => recipients.includes(to));
    while (!arrived) {
      await mail.has(mail.mails.length + 1);
      arrived = mail.mails.find(({ recipients }) => recipients.includes(to));
    }
    delays.push(arrived.at - Date.parse(finishedAt));
  }
  finished.close();
  return delays;
}
