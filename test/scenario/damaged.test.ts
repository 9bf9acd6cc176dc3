/**
 * Failure rows 23, 24 and 27, over HTTP: a document of a newer version, a damaged one, and one that
 * makes its actor throw. Each is quarantined with its reason; all else serves.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { decodeState, encodeState } from '../../src/runtime/document.ts';
import type { ActorDocument } from '../../src/store/port.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

const SPOILT: Record<string, (document: ActorDocument) => ActorDocument> = {
  'job/newer': document => ({ ...document, version: 99 }),
  'job/torn': document => ({ ...document, state: document.state.slice(0, -40) }),
  'job/flipped': document => ({ ...document, state: document.state.replace('"true"', '"trve"') }),
  // A valid document, except for its answered triggers: each trigger makes it throw, and no other
  // command does.
  'job/poisoned': document => {
    const state = decodeState(document);
    const snapshot = JSON.parse(JSON.stringify(state.snapshot).replace('"keys":[]', '"keys":7'));
    return { ...document, state: encodeState(document.address, { ...state, snapshot }) };
  },
};
const UNREADABLE = ['job/newer', 'job/torn', 'job/flipped', 'host'];

let cluster: Cluster;
let before: Map<string, ActorDocument>;
const inStore = async <T>(work: (store: Awaited<ReturnType<typeof createSqliteStore>>) => Promise<T>): Promise<T> => {
  const store = await createSqliteStore({ directory: join(cluster.directory, 'center') });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
};
const ask = async (method: string, path: string) => {
  const answer = await fetch(`${cluster.url}${path}`, { method });
  return { status: answer.status, error: ((await answer.json()) as { error?: { code: string; message: string } }).error };
};

/** One more run of the job has succeeded. */
const goesOn = async (job: string) => {
  const ran = async () => (await cluster.all(`/v1/executions?job=${job}&outcome=succeeded`)).length;
  const already = await ran();
  await until(`${job} goes on`, async () => (await ran()) > already, 20_000);
};

interface Job {
  status: string;
  quarantine: { reason: string; since: string } | null;
}

describe('rows 23, 24, 27: a center with damaged actors', () => {
  beforeAll(async () => {
    cluster = await aCluster({ env: { TROUPE_STORE: 'sqlite' } });
    await cluster.startCenter();
    cluster.startAgent('a1');
    cluster.startAgent('a2');
    await cluster.ready('a1', 'a2');
    const { items: hosts } = await cluster.call<{ items: { id: string; name: string }[] }>('GET', '/v1/hosts');
    for (const name of ['newer', 'torn', 'flipped', 'poisoned', 'fine']) {
      await cluster.call('POST', '/v1/jobs', { name, command: 'true', schedules: [{ type: 'cron', cron: '* * * * * ?' }] });
    }
    await cluster.killCenter();
    const lost = `host/${hosts.find(({ name }) => name === 'a2')?.id}`;
    before = await inStore(async store => {
      const damaged = { ...SPOILT, [lost]: SPOILT['job/torn'] as (typeof SPOILT)[string] };
      for (const [address, damage] of Object.entries(damaged)) {
        const document = await store.load(address);
        if (!document) throw new Error(`there is no ${address}`);
        const changed = damage(document);
        expect(changed).not.toEqual(document);
        await store.commit([{ document: { ...changed, rev: document.rev + 1 }, facts: [] }]);
      }
      const stored = await Promise.all(Object.keys(damaged).map(address => store.load(address)));
      return new Map(stored.map(document => [document?.address ?? '', document as ActorDocument]));
    });
    await cluster.startCenter();
  });
  afterAll(() => cluster.close());

  test.each([
    ['newer', /^job newer was written by version 99 of its machine; this program knows versions up to \d+$/],
    ['torn', /^job torn cannot be read: what is stored of it is damaged/],
    ['flipped', /^job flipped cannot be read: what is stored of it is damaged \(its checksum does not fit\)$/],
  ])('a center with damaged actors says of job %s why it is quarantined, whatever is asked of it', async (name, reason) => {
    const answers = [await ask('GET', `/v1/jobs/${name}`), await ask('POST', `/v1/jobs/${name}/trigger`)];
    for (const { status, error } of answers) {
      expect({ status, code: error?.code }).toEqual({ status: 409, code: 'quarantined' });
      expect(error?.message).toMatch(reason);
    }
  });

  test('a center with damaged actors lists what it can read, and beside it what it cannot', async () => {
    type List = { items: { name: string }[]; unreadable?: { name: string; reason: string }[] };
    const jobs = await cluster.call<List>('GET', '/v1/jobs');
    expect(jobs.items.map(({ name }) => name)).toEqual(['fine', 'poisoned']);
    expect(jobs.unreadable?.map(({ name }) => name)).toEqual(['flipped', 'newer', 'torn']);
    const hosts = await cluster.call<List>('GET', '/v1/hosts');
    expect(hosts.items.map(({ name }) => name)).toEqual(['a1']);
    expect(hosts.unreadable).toHaveLength(1);
  });

  test('a center with damaged actors runs everything else as it is due', async () => {
    await cluster.ready('a1');
    await goesOn('fine');
  });

  test('a center quarantines an actor that throws three times on one message, and releases it on request', async () => {
    await goesOn('poisoned');
    expect(await ask('POST', '/v1/jobs/poisoned/trigger')).toMatchObject({ status: 500, error: { code: 'internal' } });
    const shut = await cluster.call<Job>('GET', '/v1/jobs/poisoned');
    expect(shut.status).toBe('quarantined');
    expect(shut.quarantine?.reason).toMatch(/^"job.trigger" failed 3 times: /);
    expect(await ask('POST', '/v1/jobs/poisoned/trigger')).toMatchObject({ status: 409, error: { code: 'quarantined' } });
    expect((await cluster.call<Job>('POST', '/v1/jobs/poisoned/release')).quarantine).toBeNull();
    await goesOn('poisoned');
    const { items } = await cluster.call<{ items: { type: string }[] }>('GET', '/v1/history/job/poisoned?limit=200');
    expect(items.map(({ type }) => type).filter(type => type.startsWith('actor.'))).toEqual(['actor.quarantined', 'actor.released']);
  });

  test('a center with damaged actors leaves what it could not read as it was, to the byte', async () => {
    await cluster.killCenter();
    const kept = [...before].filter(([address]) => UNREADABLE.some(each => address.startsWith(each)));
    expect(kept).toHaveLength(4);
    await inStore(async store => {
      for (const [address, document] of kept) expect(await store.load(address)).toEqual(document);
    });
  });
});
