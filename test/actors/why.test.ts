/** Explanations predict what the machines then do. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { dryRunDue, dryRunTrigger } from '../../actors/explain/dry-run.ts';
import { whyExecution } from '../../actors/explain/execution.ts';
import { whyJob } from '../../actors/explain/job.ts';
import { messageOf, sentenceOf } from '../../actors/explain/messages.ts';
import type { ActorView } from '../../actors/explain/reason.ts';
import type { JobConfig } from '../../actors/job/types.ts';
import { PASS_TRIES_MAX } from '../../actors/pool/waiting.ts';
import type { Address, Effect, Events, ExecutionEvent, Kind } from '../../actors/types.ts';
import { anActor, recorded } from '../support/actor.ts';
import { aCreate, aJob, anApp, anEnd, aRequest } from '../support/builders.ts';

type Actor<K extends Kind> = ReturnType<typeof anActor<K>>;

/** The committed actor, as the API reads it. */
function seen<K extends Kind>(address: Address<K>, actor: Actor<K>): ActorView<K> {
  const reason = actor.quarantine;
  const value = address.startsWith('job/') ? { admin: actor.state } : actor.state;
  const timers = actor.timers.map(({ id, inMs }) => ({ id, dueAt: actor.at + inMs }));
  return { address, context: actor.context, value, timers, quarantine: reason === null ? null : { reason, at: actor.at } };
}

const eventsTo = <K extends Kind>(effects: Effect[], kind: K): Events[K][] =>
  effects.flatMap(effect =>
    effect.type === 'tell' && effect.params.to.startsWith(`${kind}/`) ? [effect.params.event as unknown as Events[K]] : [],
  );

const aPool = () =>
  anActor('pool/default', { type: 'pool.create', config: { name: 'default', timeZone: null, servers: [], description: '' } });
const aHostReady = (host: string, cpus: number, open = true): Events['pool'] => ({
  type: 'pool.hostReady',
  host,
  name: host,
  hostname: `${host}.example`,
  address: '10.0.0.1',
  cpus,
  memoryMB: 1_000,
  open,
  runs: [],
  session: 1,
});

const app = (enabled: boolean, version: number) => ({ config: anApp({ resources: { cpus: 0.2, memoryMB: 10 } }), enabled, version });

const config = fc.record({
  overlap: fc.constantFrom<JobConfig['overlap']>('skip', 'queue', 'queue', 'allow', 'allow', 'replace'),
  overlapLimit: fc.integer({ min: 1, max: 3 }),
  partial: fc.boolean(),
  placement: fc.constantFrom<JobConfig['placement']>('pack', 'spread', 'sticky'),
  app: fc.constantFrom(null, null, 'my_app'),
  total: fc.integer({ min: 1, max: 4 }),
  cpus: fc.constantFrom(0.1, 0.5, 1),
});
/** Indexes into the list of events; most of them let the job run. */
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 5 }) }, { weight: 1, arbitrary: fc.nat({ max: 13 }) }), {
  maxLength: 10,
});
const hosts = fc.array(
  fc.record({ cpus: fc.constantFrom(0.1, 0.5, 1, 3), open: fc.constantFrom(true, true, false), taken: fc.integer({ min: 0, max: 2 }) }),
  {
    minLength: 1,
    maxLength: 3,
  },
);

function aJobAfter(
  { total, cpus, ...rest }: (typeof config extends fc.Arbitrary<infer T> ? T : never) & object,
  taken: number[],
): Actor<'job'> {
  let salts = 0;
  const create = aJob({
    ...rest,
    shards: { total, parameters: {} },
    resources: { cpus, memoryMB: 10 },
    schedules: [{ type: 'cron', cron: '0/10 * * * * ?' }],
  });
  const job = anActor('job/nightly', { type: 'job.register', config: create }, { salt: () => `s${++salts}` });
  let version = 0;
  for (const step of taken) {
    const [first] = job.context.open;
    const last = job.context.open.at(-1);
    const finish = (open: typeof first) =>
      open && job.tell({ type: 'execution.finished', execution: open.id, outcome: 'succeeded', finishedAt: job.at });
    const happen = [
      () => job.ask({ type: 'job.trigger' }),
      () => job.ask({ type: 'job.trigger' }),
      () => job.pass(10_000),
      () => job.pass(3_000),
      () => finish(first),
      () => finish(last),
      () => job.ask({ type: 'job.disable', kill: false }),
      () => job.ask({ type: 'job.enable' }),
      () => job.tell({ type: 'app.attached', app: app(true, ++version) }),
      () => job.tell({ type: 'app.changed', app: app(false, ++version) }),
      () => job.tell({ type: 'app.refused', app: 'my_app', reason: 'app my_app is being deleted' }),
      () => job.release(),
      () => job.tell({ type: 'app.attached', app: app(true, ++version) }),
      () => job.ask({ type: 'job.deregister' }),
    ][step];
    if (step !== 13 || taken.length % 4 === 0) happen?.();
    if (job.state === 'deleted') break;
  }
  return job;
}

function aPoolWith(there: { cpus: number; open: boolean; taken: number }[]): Actor<'pool'> {
  const pool = aPool();
  for (const [place, { cpus, open, taken }] of there.entries()) {
    pool.tell(aHostReady(`h${place}`, cpus));
    const runs = Array.from({ length: taken }, (_, item) => ({ item, attempt: 1 }));
    if (taken > 0)
      pool.tell({ type: 'pool.reserve', request: aRequest({ execution: `other${place}`, runs, resources: { cpus: 0.3, memoryMB: 10 } }) });
    if (!open) pool.tell({ type: 'pool.hostOpen', host: `h${place}`, open });
  }
  return pool;
}

/** The shards of a sticky job go there alone. */
function allocatedTo(host: string, job: Actor<'job'>): Actor<'job'> {
  const hosts = Array.from({ length: job.context.config.shards.total }, () => host);
  job.tell({ type: 'job.propose', pool: job.context.config.pool, serial: 1, hosts, name: host, closed: [], reason: null });
  return job;
}

/** The real trigger: through job, execution and pool, and back. */
function triggered(job: Actor<'job'>, pool: Actor<'pool'>) {
  const asked = job.ask({ type: 'job.trigger' });
  if (asked.refused !== null) return { does: 'refused' as const, reason: asked.refused };
  const create = eventsTo(asked.effects, 'execution').find(event => event.type === 'execution.create') as ExecutionEvent | undefined;
  if (create?.type !== 'execution.create') return { does: 'joins' as const, execution: (asked.answer as { execution: string }).execution };
  const execution = anActor(`execution/${create.id}`, create);
  for (const request of eventsTo(execution.created.effects, 'pool')) {
    for (const news of eventsTo(pool.tell(request).effects, 'execution')) execution.tell(news);
  }
  const placed = execution.context.shards.filter(shard => shard.status === 'starting');
  const names = [...new Set(placed.map(shard => shard.hostName))].sort();
  const reason = execution.context.reason;
  if (placed.length === 0) return { does: 'waits' as const, reason, execution };
  return placed.length < execution.context.shards.length
    ? { does: 'startsInPart' as const, hosts: names, reason }
    : { does: 'starts' as const, hosts: names };
}

describe('the dry run of an explanation', () => {
  test('the dry run of a trigger comes true, all the way to the hosts and with the same reason', () => {
    const came = new Set<string>();
    fc.assert(
      fc.property(config, steps, hosts, (different, taken, there) => {
        const job = taken.length % 2 === 0 ? allocatedTo('h0', aJobAfter(different, taken)) : aJobAfter(different, taken);
        fc.pre(job.state !== 'deleted');
        const pool = aPoolWith(there);
        const { would } = dryRunTrigger(seen('job/nightly', job), seen('pool/default', pool), job.at);
        const { execution: _, ...did } = triggered(job, pool) as Record<string, unknown>;
        came.add(would.does);
        const said = 'hosts' in would ? { ...would, hosts: [...would.hosts].sort() } : would;
        if (would.does === 'joins') expect(did).toEqual({ does: 'joins' });
        else expect(said as Record<string, unknown>).toEqual(did);
      }),
      { numRuns: 200 },
    );
    expect([...came]).toEqual(expect.arrayContaining(['joins', 'refused', 'starts', 'waits']));
  });

  test('the dry run of the next due time comes true', () => {
    const came = new Set<string>();
    fc.assert(
      fc.property(config, steps, (different, taken) => {
        const job = aJobAfter(different, taken);
        fc.pre(job.state !== 'deleted');
        const { nextAt } = job.context;
        const said = dryRunDue(seen('job/nightly', job), job.at);
        const did = recorded(job.pass((nextAt ?? job.at + 10_000) - job.at)).at(-1);
        expect(said).toEqual(did);
        if (did) came.add(did.verdict);
      }),
      { numRuns: 200 },
    );
    expect([...came]).toEqual(expect.arrayContaining(['waiting', 'skippedOverlap']));
  });

  test('the dry run of a waiting request comes true with the next pass of the pool', () => {
    const came = new Set<string>();
    fc.assert(
      fc.property(config, hosts, fc.array(fc.nat({ max: 5 }), { maxLength: 4 }), (different, there, later) => {
        const pool = aPoolWith(there);
        const done = triggered(allocatedTo('h0', aJobAfter({ ...different, app: null }, [])), pool);
        fc.pre('execution' in done && typeof done.execution !== 'string');
        const { execution } = done as { execution: Actor<'execution'> };
        const { id } = execution.context;
        for (const step of later) {
          const host = `h${step % 3}`;
          const news =
            step < 3
              ? pool.tell({ type: 'pool.hostOpen', host, open: step % 2 === 0 })
              : pool.tell({ type: 'pool.release', runs: [{ execution: `other${step % 3}`, item: 0, attempt: 1 }] });
          for (const event of eventsTo(news.effects, 'execution')) if (event.type === 'execution.placed') came.add('placed');
        }
        const { lead } = whyExecution({
          execution: seen(`execution/${id}`, execution),
          job: undefined,
          pool: seen('pool/default', pool),
          hosts: [],
          unreadable: [],
        });
        const said = lead.map(({ type }) => type).filter(type => type !== 'hosts');
        for (const type of said) came.add(type);
        // Another pass, with a reason of its own.
        const looked = eventsTo(pool.tell({ type: 'pool.withdraw', execution: 'nobody' }).effects, 'execution');
        const waits = pool.context.waiting.some(each => each.request.execution === id);
        expect(said).toEqual(
          looked.some(({ type }) => type === 'execution.placed') ? ['capacitySoon'] : waits ? ['noCapacity'] : ['inTransit'],
        );
      }),
      { numRuns: 200 },
    );
    expect([...came]).toEqual(expect.arrayContaining(['placed', 'noCapacity', 'inTransit']));
  });

  test('the dry run of a further attempt in transit ignores the reservations of other shards', () => {
    const pool = aPool();
    pool.tell(aHostReady('h1', 4));
    const config = aJob({ shards: { total: 2, parameters: {} }, retry: { attempts: 3, backoffMs: 0, maxBackoffMs: 0, jitter: 'equal' } });
    const execution = anActor('execution/nightly@x', aCreate({ config }));
    const say = () => {
      const around = { job: undefined, pool: seen('pool/default', pool), hosts: [], unreadable: [] };
      return whyExecution({ execution: seen('execution/nightly@x', execution), ...around }).lead.find(({ type }) => type === 'inTransit');
    };
    const [request] = eventsTo(execution.created.effects, 'pool');
    expect(say()).toMatchObject({ what: 'request' });
    const [placed] = request ? eventsTo(pool.tell(request).effects, 'execution') : [];
    expect(say()).toMatchObject({ what: 'placement' });
    if (placed) execution.tell(placed);
    const [released, again] = eventsTo(execution.tell(anEnd(0, 'h1', 'failed'), 0).effects, 'pool');
    if (released) pool.tell(released);
    expect(say()).toMatchObject({ what: 'request' });
    if (again) pool.tell(again);
    expect(say()).toMatchObject({ what: 'placement' });
  });

  test('the dry run of a request behind a long pass is that it fits soon', () => {
    const pool = aPool();
    for (let place = 0; place <= PASS_TRIES_MAX; place++) {
      const resources = { cpus: 5 + place, memoryMB: 10 };
      pool.tell({ type: 'pool.reserve', request: aRequest({ execution: `big${place}`, resources }) });
    }
    const execution = anActor('execution/small', {
      type: 'execution.create',
      id: 'small',
      trigger: 'api',
      dueAt: null,
      config: aJob({ name: 'small' }),
      app: null,
      retryOf: null,
      blockedReason: null,
    });
    for (const request of eventsTo(execution.created.effects, 'pool')) pool.tell(request);
    pool.tell(aHostReady('h1', 1));
    const around = { job: undefined, pool: seen('pool/default', pool), hosts: [], unreadable: [] };
    const { lead } = whyExecution({ execution: seen('execution/small', execution), ...around });
    expect(lead).toEqual([{ type: 'capacitySoon', execution: 'small', pool: 'default' }]);
  });
});

describe('a job', () => {
  test('the explanation of a job always has a sentence, which begins with what forbids it to run', () => {
    fc.assert(
      fc.property(config, steps, hosts, (different, taken, there) => {
        const job = aJobAfter(different, taken);
        fc.pre(job.state !== 'deleted');
        const pool = aPoolWith(there);
        const around = {
          pool: seen('pool/default', pool),
          hosts: [],
          unreadable: [],
          app: undefined,
          open: [],
          ended: undefined,
          last: undefined,
        };
        const why = whyJob({ job: seen('job/nightly', job), ...around }, job.at);
        expect(sentenceOf(why)).not.toBe('');
        for (const reason of [...why.lead, ...why.more]) expect(messageOf(reason)).not.toMatch(/undefined|null|NaN|\[object/);
        const stays = job.quarantine !== null || job.state !== 'enabled' || job.context.app?.enabled === false;
        const [first] = why.lead;
        expect(['quarantined', 'refused', 'deregistering'].includes(first?.type ?? '')).toBe(
          stays || (why.trigger.does === 'refused' && job.context.open.length === 0),
        );
      }),
      { numRuns: 200 },
    );
  });
});
