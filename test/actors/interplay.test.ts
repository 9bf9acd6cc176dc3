/** Invariants of all machines together, under any order of events and faults. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { ExecutionContext } from '../../actors/execution/types.ts';
import type { JobConfig } from '../../actors/job/types.ts';
import { entryOf } from '../../actors/table/entries.ts';
import { aJob, anApp } from '../support/builders.ts';
import { anEnsemble, type Ensemble } from '../support/ensemble.ts';

const job = 'job/nightly' as const;

function aFleet(config: Partial<JobConfig>): Ensemble {
  const fleet = anEnsemble(['h1', 'h2']);
  fleet.created('pool/default', { type: 'pool.create', config: { name: 'default', timeZone: null, servers: [], description: '' } });
  fleet.created('app/my_app', { type: 'app.publish', config: anApp() });
  for (const host of fleet.hosts) {
    fleet.created(`host/${host.name}`, {
      type: 'host.enroll',
      id: host.name,
      name: host.name,
      pool: 'default',
      publicKey: host.name,
      graceMs: 60_000,
    });
    fleet.connect(host);
  }
  fleet.created(job, { type: 'job.register', config: aJob({ app: 'my_app', ...config }) });
  return fleet;
}

const executions = (fleet: Ensemble) => fleet.all('execution') as { state: string; context: ExecutionContext }[];

/** One random event; `choice` selects it. */
function happen(fleet: Ensemble, choice: number): void {
  const lanes = fleet.lanes;
  const host = fleet.hosts[choice % fleet.hosts.length];
  const lane = lanes[choice % Math.max(1, lanes.length)];
  if (!host) return;
  const [run] = host.live.values();
  const open = executions(fleet).filter(each => each.state !== 'done');
  const one = open[choice % Math.max(1, open.length)];
  const even = choice % 2 === 0;
  const kill = choice % 4 === 0;
  const rare = [
    () => fleet.tell(job, { type: 'job.trigger' }),
    () => one && fleet.tell(`execution/${one.context.id}`, { type: 'execution.cancel', reason: 'enough' }),
    () => fleet.cut(host),
    () => fleet.connect(host),
    () => fleet.pass((choice % 70) * 1_000),
    () => (choice % 3 === 0 ? fleet.wipe(host) : fleet.connect(host)),
    () => run && fleet.end(host, run, choice % 3 === 0 ? 'failed' : 'succeeded'),
    () => fleet.tell(job, even ? { type: 'job.disable', kill } : { type: 'job.enable' }),
    () => fleet.tell('app/my_app', even ? { type: 'app.disable', kill } : { type: 'app.enable' }),
    () => fleet.tell(`host/${host.name}`, even ? { type: 'host.drain' } : { type: 'host.resume' }),
  ];
  const command = () => fleet.command(host);
  const report = () => fleet.report(host);
  const common = [command, command, command, report, report];
  const kind = Math.floor(choice / 64) % 24;
  const doing = [...rare, ...common][kind];
  if (doing) doing();
  else if (lane) fleet.deliver(lane);
}

/** After the faults: hosts connect, processes end, time passes. */
function calm(fleet: Ensemble): void {
  fleet.tell(job, { type: 'job.enable' });
  fleet.tell('app/my_app', { type: 'app.enable' });
  for (const host of fleet.hosts) {
    fleet.tell(`host/${host.name}`, { type: 'host.resume' });
    fleet.connect(host);
  }
  for (let round = 0; round < 400; round++) {
    for (let steps = 0; steps < 500 && fleet.lanes.length > 0; steps++) for (const lane of fleet.lanes) fleet.deliver(lane);
    for (const host of fleet.hosts) {
      for (const run of [...host.live.values()]) fleet.end(host, run, 'succeeded');
      while (host.inbox.length > 0) fleet.command(host);
      while (host.outbox.length > 0) fleet.report(host);
    }
    if (fleet.lanes.length > 0 || fleet.hosts.some(host => host.live.size > 0)) continue;
    // Its table may have come after its claim, which it then repeats.
    const isClaiming = fleet.get(job)?.timers.some(({ id }) => id === 'claim');
    if (executions(fleet).every(each => each.state === 'done') && !isClaiming) return;
    fleet.pass(30_000);
  }
}

describe('events in any order', () => {
  const config = fc.record({
    overlap: fc.constantFrom<JobConfig['overlap']>('skip', 'queue', 'allow', 'replace'),
    overlapLimit: fc.constantFrom(1, 3),
    placement: fc.constantFrom<JobConfig['placement']>('pack', 'sticky'),
    partial: fc.boolean(),
    failover: fc.boolean(),
    shards: fc.constantFrom({ total: 1, parameters: {} }, { total: 3, parameters: {} }),
    resources: fc.constantFrom({ cpus: 0.1, memoryMB: 1 }, { cpus: 0.3, memoryMB: 1 }),
    retry: fc.constantFrom(
      { attempts: 1, backoffMs: 1_000, maxBackoffMs: 9_000, jitter: 'equal' },
      { attempts: 3, backoffMs: 1_000, maxBackoffMs: 9_000, jitter: 'equal' },
    ),
  });
  const choices = fc.array(fc.nat(64 * 24 * 8), { minLength: 20, maxLength: 250 });

  /** One host connects more often than the other: each host counts its own sessions. */
  const ONE_HOST_CONNECTS_MORE_OFTEN = {
    overlap: 'skip',
    overlapLimit: 3,
    placement: 'pack',
    partial: true,
    failover: true,
    shards: { total: 1, parameters: {} },
    resources: { cpus: 0.1, memoryMB: 1 },
    retry: { attempts: 3, backoffMs: 1_000, maxBackoffMs: 9_000, jitter: 'equal' },
  } as const;
  const ORDER = [
    624, 6517, 1149, 1904, 3323, 3582, 2470, 8213, 11049, 10616, 2676, 8696, 8687, 5141, 11723, 11928, 4432, 2410, 770, 50, 8712, 2856, 481,
    8707, 10384, 40, 7224, 7699, 1252, 3683, 379, 1271, 5405, 5617, 3296, 10654, 317, 1221, 5441, 4636, 9579, 6321, 2130, 5134, 311,
  ];

  test('events in any order end every execution and release every reservation once the faults end', () => {
    fc.assert(
      fc.property(config, choices, (difference, order) => {
        const fleet = aFleet(difference);
        for (const choice of order) {
          happen(fleet, choice);
          if (!difference.failover && doubles(fleet).length > 0) throw new Error(`two processes for ${doubles(fleet)}`);
        }
        calm(fleet);
        expect(
          executions(fleet)
            .filter(each => each.state !== 'done')
            .map(each => each.context),
        ).toEqual([]);
        expect(fleet.get(job)?.context.open).toEqual([]);
        const pool = fleet.get('pool/default')?.context;
        expect(pool?.waiting).toEqual([]);
        expect(rowOf(fleet)).toEqual(fleet.get(job)?.context.allocatedHosts ?? null);
        if (difference.placement === 'sticky') expect(rowOf(fleet)).toHaveLength(difference.shards.total);
        for (const host of Object.values(pool?.hosts ?? {})) {
          expect({ used: host.used, apps: host.apps, reservations: host.reservations }).toEqual({
            used: { cpu: 0, memory: 0 },
            apps: {},
            reservations: {},
          });
        }
        expect(fleet.hosts.flatMap(host => [...host.live.keys()])).toEqual([]);
      }),
      { numRuns: 200, endOnFailure: true, examples: [[ONE_HOST_CONNECTS_MORE_OFTEN, [...ORDER]]] },
    );
  }, 20_000);

  const rowOf = (fleet: Ensemble): string[] | null => {
    const table = fleet.get('table/default')?.context;
    return (table && entryOf(table, 'nightly')?.hosts) ?? null;
  };

  /** Shards with two live processes. */
  function doubles(fleet: Ensemble): string[] {
    const seen = new Set<string>();
    return fleet.hosts
      .flatMap(host => [...host.live.values()].map(run => `${run.execution}:${run.item}`))
      .filter(shard => seen.size === seen.add(shard).size);
  }
});
