/**
 * Failure row 23 at the API: whatever is stored of one thing, that one is unreadable and every list
 * serves the rest.
 */
import { afterEach, describe, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import type { Kind } from '../../actors/types.ts';
import { decodeState, encodeState, type StoredState } from '../../src/runtime/document.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import type { ActorDocument, Store } from '../../src/store/port.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { tempDir } from '../support/temp-dir.ts';
import { anApi, type TestApi } from './support.ts';

let store: Store;
let directory: string | undefined;
afterEach(async () => {
  await store.close();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  directory = undefined;
});

const STORES: Record<string, () => Promise<Store>> = {
  memory: async () => createMemoryStore(),
  sqlite: async () => {
    directory = tempDir('damaged');
    return createSqliteStore({ directory });
  },
};

/** Two of each kind, the second of which is spoilt. */
/** Tables and notices have no list of their own. */
type Listed = Exclude<Kind, 'table' | 'notice'>;

async function twoOfEach(open: () => Promise<Store>): Promise<{ api: TestApi; damaged: Record<Listed, string> }> {
  store = await open();
  const api = await anApi({ store });
  await api.post('/v1/pools', { name: 'west' });
  for (const name of ['a1', 'a2']) await api.post('/v1/apps', { name, url: 'http://apps.example/a.tar.gz', command: 'true' });
  for (const name of ['j1', 'j2']) await api.post('/v1/jobs', { name, app: 'a1', pool: 'default' });
  const runs: string[] = [];
  for (const name of ['j1', 'j2']) runs.push((await api.post(`/v1/jobs/${name}/trigger`)).body.execution);
  for (const id of ['h1', 'h2']) await api.world.aHost(id);
  await api.settled();
  const damaged = { job: 'job/j2', app: 'app/a2', pool: 'pool/west', host: 'host/h2', execution: `execution/${runs[1]}` };
  return { api, damaged };
}

async function damage(address: string, change: (document: ActorDocument) => Partial<ActorDocument>): Promise<void> {
  const document = await store.load(address);
  if (!document) throw new Error(`there is no ${address}`);
  const [result] = await store.commit([{ document: { ...document, ...change(document), rev: document.rev + 1 }, facts: [] }]);
  expect(result?.committed).toBe(true);
}

const withoutSum = (text: string) => text.replace(/,"sum":"[0-9a-f]{8}"/, '');
const sealed = (change: (state: StoredState) => StoredState) => (document: ActorDocument) => ({
  state: encodeState(document.address, change(decodeState(document))),
});

const SPOILT: Record<string, (document: ActorDocument) => Partial<ActorDocument>> = {
  null: () => ({ state: 'null' }),
  'a number': () => ({ state: '5' }),
  'a list': () => ({ state: '[]' }),
  'an empty object': () => ({ state: '{}' }),
  'no text': () => ({ state: '' }),
  'no checksum': ({ state }) => ({ state: withoutSum(state) }),
  'no snapshot': sealed(state => ({ ...state, snapshot: null })),
  'no timers': sealed(state => ({ ...state, timers: 7 as never })),
  'a quarantine since an instant that no calendar has': sealed(state => ({
    ...state,
    quarantine: { reason: 'x', at: 8_640_000_000_000_001 },
  })),
};

const LISTS: Record<Listed, string> = {
  job: '/v1/jobs',
  app: '/v1/apps',
  pool: '/v1/pools',
  host: '/v1/hosts',
  execution: '/v1/executions',
};
const OTHERS = ['/api/job/jobs', '/api/app/list', '/api/job/tasks/ready', '/api/job/tasks/running', '/api/job/tasks/failover'];
const nameIn = (address: string) => address.slice(address.indexOf('/') + 1);

/** Everything lists, and each list names exactly what is unreadable of it. */
async function expectTheRest(api: TestApi, damaged: Partial<Record<Listed, string>>): Promise<void> {
  for (const [kind, path] of Object.entries(LISTS)) {
    const { status, body } = await api.get(path);
    expect({ path, status }).toEqual({ path, status: 200 });
    const address = damaged[kind as Listed];
    const unreadable = (body.unreadable ?? []).map((each: { name: string }) => each.name);
    expect({ path, unreadable }).toEqual({ path, unreadable: address === undefined ? [] : [nameIn(address)] });
    expect(body.items.length).toBeGreaterThanOrEqual(1);
  }
  for (const path of OTHERS) expect({ path, status: (await api.get(path)).status }).toEqual({ path, status: 200 });
  expect(api.log.lines.filter(line => line.level === 'error')).toEqual([]);
}

describe.each(Object.entries(STORES))('with %s', (_, open) => {
  test('row 23: one damaged actor of each kind is unreadable, and the rest serves', async () => {
    const { api, damaged } = await twoOfEach(open);
    for (const [what, change] of Object.entries(SPOILT)) {
      const before = new Map<string, ActorDocument>();
      for (const address of Object.values(damaged)) {
        before.set(address, (await store.load(address)) as ActorDocument);
        await damage(address, change);
      }
      await expectTheRest(api, damaged);
      for (const [kind, address] of Object.entries(damaged)) {
        const { status, body } = await api.get(`${LISTS[kind as Listed]}/${encodeURIComponent(nameIn(address))}`);
        expect({ what, kind, status, code: body.error?.code }).toEqual({ what, kind, status: 409, code: 'quarantined' });
      }
      for (const [address, { state }] of before) await damage(address, () => ({ state }));
    }
    await expectTheRest(api, {});
  });

  test('an instant that no calendar has makes its execution unreadable, never the list', async () => {
    const { api, damaged } = await twoOfEach(open);
    const at = 8_640_000_000_000_001;
    for (const field of ['createdAt', 'startedAt', 'dueAt']) {
      const { state } = (await store.load(damaged.execution)) as ActorDocument;
      await damage(
        damaged.execution,
        sealed(before => {
          const snapshot = before.snapshot as { context: Record<string, unknown> };
          return { ...before, snapshot: { ...snapshot, context: { ...snapshot.context, [field]: at } } };
        }),
      );
      await expectTheRest(api, { execution: damaged.execution });
      const { status, body } = await api.get(`/v1/executions/${encodeURIComponent(nameIn(damaged.execution))}`);
      expect({ status, message: body.error.message }).toEqual({ status: 409, message: expect.stringContaining(String(at)) });
      await damage(damaged.execution, () => ({ state }));
    }
  });

  test('a center starts and serves although its default pool is unreadable', async () => {
    const { api } = await twoOfEach(open);
    await damage('pool/default', () => ({ state: 'null' }));
    const again = await anApi({ store, clock: api.clock });
    const ensured = again.world.ask('pool/default', {
      type: 'pool.create',
      config: { name: 'default', timeZone: null, servers: [], description: '' },
    });
    await expect(ensured).rejects.toMatchObject({ code: 'quarantined' });
    expect((await again.get('/v1/jobs')).body.items).toHaveLength(2);
    expect((await again.get('/v1/pools')).body.unreadable).toMatchObject([{ name: 'default' }]);
  });
});

describe('a stored password that is damaged', () => {
  test('a stored password that is damaged admits nobody, is replaced by no other, and says what to do', async () => {
    store = createMemoryStore();
    const password = 'correct horse battery';
    const first = await anApi({ store, env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: password } });
    for (const data of [{}, { hash: 5 }, { hash: 'x' }]) {
      await store.putCredential({ kind: 'user', id: 'root', data, expiresAt: null, uses: null });
      const again = await anApi({ store, clock: first.clock, env: { TROUPE_AUTH: 'on' } });
      expect(again.password).toBeNull();
      expect(again.log.lines.map(({ sentence }) => sentence).join()).toContain('start once with TROUPE_ROOT_PASSWORD');
      expect((await again.post('/v1/login', { username: 'root', password })).status).toBe(401);
    }
    const mended = await anApi({ store, clock: first.clock, env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: password } });
    expect((await mended.post('/v1/login', { username: 'root', password })).status).toBe(200);
  });
});

describe('a record of a credential that is damaged', () => {
  test.each([{}, { name: 5 }, { name: 'x', scope: 'all', createdAt: 'y' }, { name: 'x', scope: 'all', createdAt: 8_640_000_000_000_001 }])(
    'a record of a credential that is damaged opens nothing and blocks no other: %j',
    async data => {
      store = createMemoryStore();
      const api = await anApi({ store, env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'correct horse battery' } });
      const { token } = (await api.post('/v1/login', { username: 'root', password: 'correct horse battery' })).body;
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const program = (await api.post('/v1/tokens', { name: 'good', scope: 'read' }, headers)).body.token as string;
      const bad = (await api.post('/v1/tokens', { name: 'bad', scope: 'all' }, headers)).body.token as string;
      for (const { kind, id, expiresAt, data: own } of await store.credentials('apiToken')) {
        if (own.name === 'bad') await store.putCredential({ kind, id, data, expiresAt, uses: null });
      }
      const { status, body } = await api.get('/v1/tokens', headers);
      expect({ status, names: body.items.map((each: { name: string }) => each.name) }).toEqual({ status: 200, names: ['good'] });
      expect((await api.get('/v1/jobs', { authorization: `Bearer ${program}` })).status).toBe(200);
      expect((await api.get('/v1/jobs', { authorization: `Bearer ${bad}` })).status).toBe(401);
    },
  );
});
