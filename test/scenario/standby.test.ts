/** Two centers on one MongoDB: one serves, the other is a standby and takes over. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Cluster } from '../support/cluster.ts';
import { mongoServers } from '../support/mongo.ts';
import { failovers } from './failovers.ts';

setDefaultTimeout(180_000);

const servers = await mongoServers();

/** Of a center that dies; on one machine its death is seen at once. */
const DEATH_MS = 8_000;
const STOP_MS = 2_000;

/** What a standby answers. */
async function expectStandby({ urls }: Cluster): Promise<void> {
  const ask = (path: string, init: RequestInit = {}) => fetch(`${urls[1]}${path}`, init);
  const words = /^standby of \S+/;
  for (const [path, method] of [
    ['/v1/ready', 'GET'],
    ['/v1/jobs', 'POST'],
    ['/api/job/list', 'GET'],
    ['/', 'GET'],
  ] as const) {
    const answer = await ask(path, { method });
    expect([path, answer.status]).toEqual([path, 503]);
    expect((await answer.json()) as unknown).toEqual({ error: { code: 'standby', message: expect.stringMatching(words) } });
  }
  expect(await (await ask('/v1/health')).json()).toEqual({ status: 'ok' });
  const metrics = await ask('/v1/metrics');
  expect(metrics.status).toBe(200);
  expect(await metrics.text()).toContain('troupe_standby 1');
}

if (servers.length === 0)
  describe('two centers on one database', () => test.skip('two centers on one database fail over (no server)', () => {}));
describe.each(servers)('row 8: two centers on one database of $kind', server => {
  test('a standby takes over from a center that is killed, twice, and from one that stops; each due time has one verdict and the agent moves', async () => {
    const found = await failovers({ server, kills: 2, beside: expectStandby });
    expect(found.problems).toEqual([]);
    expect(Math.max(...found.takeoversMs)).toBeLessThan(DEATH_MS);
    expect(found.cleanMs).toBeLessThan(STOP_MS);
    expect(found.ran).toBeGreaterThan(3);
  });
});
