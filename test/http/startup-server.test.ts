/** The server of a waiting start: each surface has its refusal in its own words. */
import { afterAll, expect, test } from 'bun:test';
import { RULES } from '../../src/api/surfaces.ts';
import { createStartupServer } from '../../src/http/startup-server.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { freePort } from '../support/cluster.ts';

const port = await freePort();
const server = createStartupServer({ config: { listen: [{ host: '127.0.0.1', port }], auth: 'on' }, surfaces: RULES, clock: systemClock });
afterAll(() => server.close());

/** The listener opens in the background. */
async function got(path: string): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch((error: unknown) => {
      if (tries === 200) throw error;
    });
    if (answer) return answer;
  }
}

test('a waiting start answers 503 with the reason, in the words of each surface', async () => {
  server.waits('it is away');
  const message = 'the start of the center waits for its store: it is away';
  const native = { error: { code: 'unavailable', message } };
  const cases: [path: string, body: unknown][] = [
    ['/v1/jobs', native],
    ['/api/job/jobs', native],
    ['/nothing', native],
    ['/cloudtask/v2/_ping', { content: 'request server exception.', error: `${message}.` }],
    ['/cloudtask/v2/nothing', { content: 'request server exception.', error: `${message}.` }],
  ];
  for (const [path, body] of cases) {
    const answer = await got(path);
    expect([path, answer.status, answer.headers.get('retry-after')]).toEqual([path, 503, '3']);
    expect(await answer.json()).toEqual(body);
  }
});
