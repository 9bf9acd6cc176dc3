/** Runtimes through the Cloudtask dialect: they are pools. */
import { describe, expect, test } from 'bun:test';
import { anApi, type TestApi } from './support.ts';

const RUNTIMES = '/cloudtask/v2/runtimes';
const AT = '2026-11-22T08:00:00.000Z';
const runtimeOf = async (api: TestApi, location: string) => (await api.get(`${RUNTIMES}/${location}`)).body.data.runtime;

describe('a runtime of Cloudtask', () => {
  test('a runtime of Cloudtask is answered in the order of fields of the contract, with every default', async () => {
    const api = await anApi();
    const answer = await api.post(RUNTIMES, { Location: 'myCluster' });
    const runtime = {
      location: 'myCluster',
      description: '',
      owners: [],
      group: [],
      servers: [],
      server: [],
      timezone: '',
      createuser: 'root',
      createat: AT,
      edituser: 'root',
      editat: AT,
    };
    expect([answer.status, answer.text]).toEqual([201, JSON.stringify({ content: 'request successed.', data: { runtime } })]);
    const { runtimes } = (await api.get(RUNTIMES)).body.data;
    expect(runtimes.map((each: { location: string }) => each.location)).toEqual(['default', 'myCluster']);
    expect(runtimes[1]).toEqual(runtime);
  });

  test('a runtime of Cloudtask is a pool on /v1, and each finds what the other wrote', async () => {
    const api = await anApi();
    const group = [{ id: 'g1', name: 'web', owners: ['root'] }];
    const given = { description: 'd', owners: ['ops@example.org'], group, servers: ['10.0.0.1', 'W1'], timezone: 'Asia/Tokyo' };
    await api.post(RUNTIMES, { runtime: 'west', ...given });
    expect((await api.get('/v1/pools/west')).body).toMatchObject({
      description: 'd',
      owners: ['ops@example.org'],
      groups: group,
      servers: ['10.0.0.1', 'W1'],
      timeZone: 'Asia/Tokyo',
    });
    expect((await api.patch('/v1/pools/west', { timeZone: null, servers: [] })).status).toBe(200);
    expect(await runtimeOf(api, 'west')).toMatchObject({ ...given, servers: [], timezone: '' });
  });

  test('a runtime of Cloudtask lists those that may join and never did, by name or by address', async () => {
    const api = await anApi();
    await api.post(RUNTIMES, { location: 'west', servers: ['10.0.0.1', 'W1', 'fe80::1'] });
    expect((await runtimeOf(api, 'west')).server).toEqual([
      { ipaddr: '10.0.0.1', status: 0 },
      { name: 'W1', status: 0 },
      { ipaddr: 'fe80::1', status: 0 },
    ]);
  });

  test('a runtime of Cloudtask takes its servers from a document of the original, and an answer sent back stays open to any host', async () => {
    const api = await anApi();
    const document = {
      _id: '5',
      location: 'west',
      server: [{ key: '', name: 'w1', ipaddr: '10.0.0.1', status: 1 }, { name: 'w2' }, { ipaddr: '10.0.0.1' }],
    };
    await api.post(RUNTIMES, document);
    expect((await runtimeOf(api, 'west')).servers).toEqual(['w1', '10.0.0.1', 'w2']);
    await api.put(`${RUNTIMES}/west`, { server: [{ name: 'w3', ipaddr: '' }] });
    expect((await runtimeOf(api, 'west')).servers).toEqual(['w3']);
    await api.put(`${RUNTIMES}/west`, { server: [{ name: 'w4' }], servers: [] });
    expect((await runtimeOf(api, 'west')).servers).toEqual([]);
  });

  test('a runtime of Cloudtask is changed field by field, and keeps its name', async () => {
    const api = await anApi();
    await api.post(RUNTIMES, { location: 'west', description: 'd', servers: ['a'] });
    const changed = await api.put(`${RUNTIMES}/west`, { description: 'e', location: 'west' });
    expect([changed.status, changed.body.data.runtime]).toMatchObject([200, { description: 'e', servers: ['a'] }]);
    for (const field of ['location', 'runtime']) {
      const { status, body } = await api.put(`${RUNTIMES}/west`, { [field]: 'east' });
      expect([status, body.error]).toEqual([400, `${field} is "east", but must stay "west".`]);
    }
  });

  test.each([
    ['no location', {}, 'location is missing'],
    ['a blank location', { location: '' }, 'location is ""'],
    ['an unknown zone', { location: 'x', timezone: 'Mars' }, 'timezone is "Mars"'],
    ['servers as a text', { location: 'x', servers: 'a' }, 'servers is "a"'],
    ['an empty server', { location: 'x', servers: [''] }, 'servers[0] is ""'],
    ['a server as a text', { location: 'x', server: ['a'] }, 'server[0] is "a"'],
    ['a description as a number', { location: 'x', description: 5 }, 'description is 5'],
  ])('a runtime of Cloudtask is refused, names the field, and nothing is stored: %s', async (_, body, said) => {
    const api = await anApi();
    const answer = await api.post(RUNTIMES, body);
    expect([answer.status, answer.body.content]).toEqual([400, 'request resolve invaild.']);
    expect(answer.body.error).toContain(said);
    expect((await api.get(RUNTIMES)).body.data.runtimes.length).toBe(1);
  });

  test('a runtime of Cloudtask that is taken is 409, an unknown one 404', async () => {
    const api = await anApi();
    await api.post(RUNTIMES, { location: 'west' });
    expect((await api.post(RUNTIMES, { location: 'west' })).status).toBe(409);
    for (const answer of [await api.get(`${RUNTIMES}/x`), await api.put(`${RUNTIMES}/x`, {}), await api.del(`${RUNTIMES}/x`)]) {
      expect([answer.status, answer.body.content]).toEqual([404, 'request resource not found.']);
    }
  });

  test('a runtime of Cloudtask is deleted unless it has jobs or is the default one', async () => {
    const api = await anApi();
    await api.post(RUNTIMES, { location: 'west' });
    await api.post('/cloudtask/v2/jobs', { name: 'x', location: 'west', cmd: 'true' });
    expect([(await api.del(`${RUNTIMES}/west`)).status, (await api.del(`${RUNTIMES}/default`)).status]).toEqual([409, 409]);
    await api.del('/v1/jobs/x');
    expect((await api.del(`${RUNTIMES}/west`)).text).toBe('{"content":"request successed."}');
    expect((await api.get(`${RUNTIMES}/west`)).status).toBe(404);
  });
});
