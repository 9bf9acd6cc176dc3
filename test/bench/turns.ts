/**
 * Durable actor turns per second on the embedded store (`synchronous=FULL`), through the runtime's
 * own door: one command, one commit, one fact each. Measured as a center has it, actors in workers
 * and the writing in a thread of its own; beside it all of it in one thread, and the same on
 * MongoDB.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { centerRoles } from '../../src/cluster/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemIds } from '../../src/lib/ids.ts';
import { createRuntime } from '../../src/runtime/create.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { inWorkers } from '../../src/runtime/workers/threads.ts';
import type { WorkerHosts } from '../../src/runtime/workers/worker-host.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/port.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { anApp } from '../support/builders.ts';
import { inThisThread } from '../support/in-this-thread.ts';
import { scriptedNotifier } from '../support/notifier.ts';
import { scriptedFleet } from '../support/runtime.ts';
import { onMongo } from './cluster.ts';
import { atLeast, atMost, type BenchResult, median, noGoal, quantile, type Size } from './report.ts';

interface Load {
  turns: number;
  actors: number;
  inFlight: number;
}
const LOAD = { actors: 1_000, inFlight: 256 };
/**
 * A stand-in does a thousand updates a second, and gives no connection in time when more are wanted
 * of it.
 */
const LOAD_ON_SERVER = { actors: 200, inFlight: 32 };
const OWNER = 'bench';

type Where = Parameters<typeof openStore>[0]['store'];

interface Figures {
  rate: number;
  p99: number;
  aloneP50: number;
  aloneP99: number;
}

export async function bench({ quick }: Size): Promise<BenchResult[]> {
  const turns = quick ? 6_000 : 30_000;
  const workers = Math.max(1, availableParallelism() - 1);
  const one = await inDirectory(async directory => measured({ store: await createSqliteStore({ directory }) }, { ...LOAD, turns }));
  const asACenter = async (directory: string, kind: Where, load: Load) => {
    const { store, connect } = await openStore(
      { dataDir: directory, store: kind },
      {
        clock: systemClock,
        drawId: systemIds.uuid,
        cluster: centerRoles({ clock: systemClock, drawId: systemIds.uuid, center: OWNER }),
      },
    );
    return measured({ store, workerHosts: inWorkers({ count: workers, owner: OWNER, connect }).workerHosts }, load);
  };
  const threads = await inDirectory(directory => asACenter(directory, { kind: 'sqlite' }, { ...LOAD, turns }));
  const ours: BenchResult = {
    name: 'turns',
    judged: [
      atLeast('durable turns', Math.round(threads.rate), 25_000, '1/s'),
      atMost('p99 meanwhile', threads.p99, 30, 'ms'),
      atMost('one at a time, p50', threads.aloneP50, 0.5, 'ms'),
    ],
    figures: {
      oneAtATimeP99Ms: threads.aloneP99,
      workers,
      inOneThreadPerSecond: Math.round(one.rate),
      inOneThreadP99Ms: one.p99,
      inOneThreadOneAtATimeP50Ms: one.aloneP50,
      ...LOAD,
      turnsPerRound: turns,
    },
  };
  const onServer = { ...LOAD_ON_SERVER, turns: quick ? 300 : 1_500 };
  const theirs = await onMongo(async ({ kind, url }): Promise<BenchResult> => {
    const seen = await asACenter('', { kind: 'mongodb', url }, onServer);
    const name = `turns on ${kind}`;
    return {
      name,
      judged: [
        noGoal('durable turns', Math.round(seen.rate), '1/s'),
        noGoal('p99 meanwhile', seen.p99, 'ms'),
        noGoal('one at a time, p50', seen.aloneP50, 'ms'),
      ],
      figures: { server: kind, ...onServer, oneAtATimeP99Ms: seen.aloneP99 },
    };
  });
  return theirs ? [ours, theirs] : [ours];
}

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const HERE = { clock: systemClock, ids: systemIds, owner: OWNER };

async function measured(
  { store, workerHosts = inThisThread({ store, ...HERE }) }: { store: Store; workerHosts?: WorkerHosts },
  load: Load,
): Promise<Figures> {
  const { turns, actors } = load;
  const runtime = createRuntime({
    store,
    clock: systemClock,
    ids: systemIds,
    fleet: scriptedFleet(),
    notifier: scriptedNotifier(),
    owner: OWNER,
    log: line => console.error(line),
    workerHosts,
  });
  try {
    await runtime.start();
    for (let actor = 0; actor < actors; actor++) {
      await runtime.ask(`app/a${actor}`, { type: 'app.publish', config: anApp({ name: `a${actor}` }) });
    }
    await round(runtime, { ...load, turns: turns / 3 });
    const rounds: { rate: number; p99: number }[] = [];
    for (let each = 0; each < 3; each++) rounds.push(await round(runtime, load));
    const alone: number[] = [];
    for (let each = 0; each < turns / 15; each++) {
      const began = performance.now();
      await runtime.ask('app/a0', { type: 'app.modify', changes: { traceEvery: each } });
      alone.push(performance.now() - began);
    }
    return {
      rate: median(rounds.map(({ rate }) => rate)),
      p99: median(rounds.map(({ p99 }) => p99)),
      aloneP50: quantile(alone, 0.5),
      aloneP99: quantile(alone, 0.99),
    };
  } finally {
    await runtime.stop(5_000);
    await store.close();
  }
}

/** As many askers as are in flight, each with one command under way at an actor of its own. */
async function round(runtime: Runtime, { turns, actors, inFlight }: Load): Promise<{ rate: number; p99: number }> {
  const took: number[] = [];
  const began = performance.now();
  let next = 0;
  const asker = async () => {
    for (let turn = next++; turn < turns; turn = next++) {
      const at = performance.now();
      await runtime.ask(`app/a${turn % actors}`, { type: 'app.modify', changes: { traceEvery: turn } });
      took.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, asker));
  return { rate: (turns * 1000) / (performance.now() - began), p99: quantile(took, 0.99) };
}
