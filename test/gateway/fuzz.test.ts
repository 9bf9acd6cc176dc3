/**
 * Row 25 at the sockets: whatever an agent or a watcher sends, the center serves, and no other
 * agent is affected. Every run is the same: the seed is fixed.
 */

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createFeedApi } from '../../src/api/feed/index.ts';
import type { Center } from '../../src/api/route-context.ts';
import { surfacesOf } from '../../src/api/surfaces.ts';
import { logRoutes } from '../../src/api/v1/logs.ts';
import { metricRoutes } from '../../src/api/v1/metrics.ts';
import { readConfig } from '../../src/config/center.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { createAgentHub } from '../../src/gateway/index.ts';
import { createApp } from '../../src/http/app.ts';
import { EndedReport, FromAgent, OutputFrame, type Run, StartedReport } from '../../src/protocol/agent.ts';
import { TicketFrame } from '../../src/protocol/rest/fact.ts';
import { createRuntime } from '../../src/runtime/create.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { createViews } from '../../src/runtime/views.ts';
import { createAuth } from '../../src/security/authentication.ts';
import { createFileService } from '../../src/services/files/index.ts';
import { createOutputService } from '../../src/services/output/index.ts';
import { createPostings } from '../../src/services/postings.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { listeningLog } from '../api/support.ts';
import { aJob } from '../support/builders.ts';
import { anything, mutated, valid } from '../support/from-schema.ts';
import { inThisThread } from '../support/in-this-thread.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { scriptedNotifier } from '../support/notifier.ts';
import { countingIds } from '../support/runtime.ts';
import { aHello, aKey, aSocket, capabilities } from './support.ts';

const SEED = 20261122;

/** The whole center but for its sockets, its clock and its store. */
async function aCenter() {
  const [store, clock, ids, log] = [createMemoryStore(), createManualClock(), countingIds(), listeningLog()];
  const config = readConfig({ env: { TROUPE_AUTH: 'off' }, machine: { cores: 2, timeZone: 'UTC' } });
  const views = createViews({ store });
  const output = createOutputService({ store });
  let runtime: Runtime;
  const runtimePort = {
    ask: ((to, event) => runtime.ask(to, event)) as Runtime['ask'],
    tell: ((to, event) => runtime.tell(to, event)) as Runtime['tell'],
    epoch: () => runtime.epoch(),
    raiseEpochs: (...reached: Parameters<Runtime['raiseEpochs']>) => runtime.raiseEpochs(...reached),
  };
  const hub = createAgentHub({
    runtime: runtimePort,
    views,
    store,
    output,
    clock,
    ids,
    heartbeatMs: 3_600_000,
    hostGraceMs: 60_000,
    closedGraceMs: 3_000,
    verify: () => true,
    readJoinToken: async () => undefined,
    spendJoinToken: async () => undefined,
    auth: 'off',
    installation: () => ({ publicKey: 'center', sign: text => text }),
    onLog: (level, text, fields) => log[level](text, fields),
  });
  runtime = createRuntime({
    store,
    clock,
    ids,
    fleet: hub,
    notifier: scriptedNotifier(),
    owner: 'test',
    workerHosts: inThisThread({ store, clock, ids, owner: 'test' }),
    log: ({ level, address, text, cause }) => log[level](`${address} ${text}`, { cause }),
  });
  const feed = createFeed({ store, clock });
  runtime.onFacts(facts => feed.publish(facts));
  const auth = createAuth({ config, store, clock, ids, log });
  const files = createFileService({ files: store.files, views, clock, limits: config.files, log: () => {} });
  const postings = createPostings({ store, runtime, clock, checkTable: () => {} });
  const center: Center = { runtime, views, store, auth, files, postings, clock, ids, log, config };
  const feedApi = createFeedApi({ feed, auth, config, clock, ids });
  const usage = () => ({ residentBytes: 1, cpuSeconds: 1 });
  const extra = [
    ...feedApi.routes,
    ...logRoutes({ views, store, output, clock, stopping: new AbortController().signal }),
    ...metricRoutes({ runtime, views, feed, clock, usage }),
  ];
  const app = createApp({ ...center, surfaces: surfacesOf(center, extra) });
  const settled = async <T>(work: Promise<T>): Promise<T> => {
    await clock.settle();
    return work;
  };
  await settled(runtime.start());
  runtime.arm();
  const get = async (path: string) => {
    const answer = app.request(path, {}, { address: '127.0.0.1' });
    return settled(Promise.resolve(answer));
  };
  const ask = (...question: Parameters<Runtime['ask']>) => settled(runtime.ask(...question));
  const join = async (key: number, pool: string) => {
    const socket = aSocket(hub.accept({ address: '127.0.0.1' }));
    socket.say(
      aHello(socket.of('challenge')[0]?.nonce ?? '', {
        publicKey: aKey(key),
        name: `box-${key}`,
        pool,
        capabilities: { ...capabilities, cpus: 1_000, memoryMB: 1_000_000 },
        instanceId: `life-${key}`,
        dataDirId: `place-${key}`,
      }),
    );
    await clock.settle();
    return socket;
  };
  return { store, clock, log, hub, get, ask, join, feedApi };
}
type Center_ = Awaited<ReturnType<typeof aCenter>>;
type Agent = Awaited<ReturnType<Center_['join']>>;

const LISTS = [
  'jobs',
  'executions',
  'hosts',
  'pools',
  'apps',
  'history/job/bad',
  'jobs/bad/occurrences',
  'jobs/bad/why',
  'pools/bad/allocation',
  'metrics',
];

async function expectServed({ get, log }: Center_, after: string, run: Run): Promise<void> {
  const execution = encodeURIComponent(run.execution);
  const paths = [
    ...LISTS,
    `executions/${execution}`,
    `executions/${execution}/logs?shard=0`,
    `executions/${execution}/why`,
    `history/execution/${execution}`,
  ];
  for (const path of paths) {
    const answer = await get(`/v1/${path}`);
    const text = await answer.text();
    expect({ after, path, status: answer.status }).toEqual({ after, path, status: 200 });
    if (text.startsWith('{"items"'))
      expect({ after, path, unreadable: JSON.parse(text).unreadable }).toEqual({ after, path, unreadable: undefined });
  }
  expect({ after, errors: log.lines.filter(({ level }) => level === 'error') }).toEqual({ after, errors: [] });
}

/** The agent's next run, acknowledged. */
async function aStart(center: Center_, agent: Agent, job: string): Promise<Run> {
  const before = agent.of('start').length;
  await center.ask(`job/${job}`, { type: 'job.trigger' } as never);
  // A host that called itself unfit gets nothing for a while.
  const isOurs = () => agent.of('start').some(({ run }) => run.execution.startsWith(`${job}@`));
  for (let minutes = 0; minutes < 60 && !(agent.of('start').length > before && isOurs()); minutes++) {
    await center.clock.advance(minutes === 0 ? 1_000 : 60_000);
    agent.say({ type: 'commandsAcknowledged', keys: [...agent.of('start'), ...agent.of('stop')].map(({ key }) => key) });
    for (const [id, { run }] of agent.of('start').entries()) {
      if (!run.execution.startsWith(`${job}@`))
        agent.say({ type: 'report', id: 5_000 + id, run, state: 'ended', outcome: 'failed', at: center.clock.now() });
    }
  }
  const start = agent.of('start').at(-1);
  if (!start || agent.of('start').length === before) throw new Error(`no run of ${job} was started`);
  agent.say({ type: 'commandsAcknowledged', keys: [start.key] });
  await center.clock.settle();
  return start.run;
}

/** A valid frame, most often about a run that there is, with one thing in it changed. */
const frames = (run: Run) =>
  fc
    .oneof(
      { weight: 3, arbitrary: valid(StartedReport) },
      { weight: 3, arbitrary: valid(EndedReport) },
      { weight: 3, arbitrary: valid(OutputFrame) },
      { weight: 2, arbitrary: valid(FromAgent) },
    )
    .map(frame => ({ ...(frame as object), ...('run' in (frame as object) ? { run } : {}) }));

const sent = (run: Run): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 8,
      arbitrary: frames(run)
        .chain(mutated)
        .map(frame => JSON.stringify(frame)),
    },
    { weight: 2, arbitrary: frames(run).map(frame => JSON.stringify(frame)) },
    { weight: 1, arbitrary: frames(run).map(frame => JSON.stringify(frame).slice(0, -3)) },
    { weight: 1, arbitrary: anything.map(value => JSON.stringify(value) ?? '') },
  );

describe('a hostile agent', () => {
  test('row 25: a hostile agent breaks no list and no other agent, whatever its frames hold', async () => {
    const center = await aCenter();
    for (const pool of ['good', 'bad']) {
      await center.ask(`pool/${pool}`, {
        type: 'pool.create',
        config: { name: pool, timeZone: null, servers: [], description: '' },
      } as never);
      await center.ask(`job/${pool}`, { type: 'job.register', config: aJob({ name: pool, pool }) } as never);
    }
    const good = await center.join(1, 'good');
    let bad = await center.join(2, 'bad');
    let closed = 0;
    for (let round = 0; round < 48; round++) {
      // A changed report may leave its run without an end, so each has a job of its own.
      await center.ask(`job/bad${round}`, { type: 'job.register', config: aJob({ name: `bad${round}`, pool: 'bad' }) } as never);
      let run = await aStart(center, bad, `bad${round}`);
      for (const text of fc.sample(fc.noShrink(sent(run)), { numRuns: 3, seed: SEED + round })) {
        bad.say(text);
        await center.clock.advance(10);
        await expectServed(center, text, run);
        if (bad.state.closed === undefined) continue;
        closed += 1;
        bad = await center.join(2, 'bad');
      }
      // Whatever became of the last run: the next one starts from nothing.
      bad.say({ type: 'report', id: 1_000 + round, run, state: 'ended', outcome: 'failed', at: center.clock.now() });
      await center.clock.advance(20_000);
      run = await aStart(center, good, 'good');
      good.say({ type: 'report', id: round, run, state: 'ended', outcome: 'succeeded', exitCode: 0, at: center.clock.now() });
      await center.clock.advance(100);
      const ended = await (await center.get(`/v1/executions/${encodeURIComponent(run.execution)}`)).json();
      expect(ended).toMatchObject({ status: 'done', outcome: 'succeeded' });
    }
    expect(good.state.closed).toBeUndefined();
    // Some are refused, and some fit: a test that sends only one kind shows nothing.
    expect(closed).toBeGreaterThan(20);
    expect(closed).toBeLessThan(144);
  });

  test.each<[string, object]>([
    ['an instant that no calendar has', { state: 'started', at: 8_640_000_000_000_001, pid: 1 }],
    ['an instant of the year 275760', { state: 'started', at: 8_640_000_000_000_000, pid: 1 }],
    ['a process number that no system gives', { state: 'started', at: 1, pid: 2 ** 40 }],
    ['a start before time', { state: 'ended', outcome: 'failed', at: 1, startedAt: -1 }],
    ['more bytes than there are', { state: 'ended', outcome: 'failed', at: 1, output: { stdoutBytes: 1e300, stderrBytes: 0 } }],
    ['half a byte', { state: 'ended', outcome: 'failed', at: 1, output: { stdoutBytes: 0.5, stderrBytes: 0 } }],
    ['an exit code beyond all', { state: 'ended', outcome: 'failed', at: 1, exitCode: 2 ** 40 }],
  ])('a hostile agent is refused %s', async (_, report) => {
    const center = await aCenter();
    await center.ask('pool/bad', { type: 'pool.create', config: { name: 'bad', timeZone: null, servers: [], description: '' } } as never);
    await center.ask('job/bad', { type: 'job.register', config: aJob({ name: 'bad', pool: 'bad' }) } as never);
    const bad = await center.join(2, 'bad');
    const run = await aStart(center, bad, 'bad');
    bad.say({ type: 'report', id: 1, run, ...report });
    await center.clock.advance(100);
    expect(bad.of('refused')[0]).toMatchObject({ code: 'malformed' });
    expect(bad.of('reportsAcknowledged')).toEqual([]);
    await expectServed(center, JSON.stringify(report), run);
  });
});

describe('a hostile watcher', () => {
  test('row 25: a hostile watcher breaks no list and no other watcher, whatever its frames hold', async () => {
    const center = await aCenter();
    const watch = async () => {
      const handlers = await center.feedApi.upgrade(new Request('http://127.0.0.1/v1/feed'));
      if (handlers instanceof Response) throw new Error(`refused: ${handlers.status}`);
      return aSocket(handlers);
    };
    const other = await watch();
    const ticket = valid(TicketFrame)
      .chain(mutated)
      .map(frame => JSON.stringify(frame));
    const frame = fc.oneof(
      ticket,
      anything.map(value => JSON.stringify(value) ?? ''),
      fc.string({ maxLength: 50 }),
    );
    for (const [nth, text] of fc.sample(fc.noShrink(frame), { numRuns: 100, seed: SEED }).entries()) {
      const hostile = await watch();
      hostile.say(text);
      await center.clock.settle();
      await center.ask(`pool/p${nth}`, {
        type: 'pool.create',
        config: { name: `p${nth}`, timeZone: null, servers: [], description: '' },
      } as never);
      for (const path of ['jobs', 'pools', 'executions']) {
        const { status } = await center.get(`/v1/${path}`);
        expect({ text, path, status }).toEqual({ text, path, status: 200 });
      }
      hostile.handlers.closed(1000, '');
    }
    await center.clock.advance(1_000);
    const seen = other.frames as unknown as { address: string; type: string }[];
    expect(seen.filter(({ type }) => type === 'pool.created')).toHaveLength(100);
    expect(center.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
