/** `troupe centers`: named centers and the current one. */
import { afterEach, describe, expect, test } from 'bun:test';
import { aCenter, error, type ScriptedCenter } from './support/center.ts';
import { aShell, troupe } from './support/shell.ts';

const centers: ScriptedCenter[] = [];
afterEach(() => Promise.all(centers.splice(0).map(center => center.stop())));
const none = { items: [], next: null };

function two() {
  const [prod, test] = [aCenter({ 'GET /v1/jobs': none }), aCenter({ 'GET /v1/jobs': none })];
  centers.push(prod, test);
  const home = aShell().env.HOME;
  const type = (line: string, env: Record<string, string> = {}) => troupe(line, aShell({ env: { HOME: home, ...env } }));
  return { prod, test, type };
}

describe('troupe centers', () => {
  test('troupe centers names centers, and the current one is asked', async () => {
    const { prod, test, type } = two();
    expect((await type(`centers add prod ${prod.url}/`)).out).toBe(`prod is ${prod.url}\n`);
    await type(`centers add test ${test.url}`);
    await type('jobs');
    expect([prod.asked.length, test.asked.length]).toEqual([1, 0]);
    expect((await type('centers use test')).out).toBe(`the current center is test, ${test.url}\n`);
    await type('jobs');
    expect([prod.asked.length, test.asked.length]).toEqual([1, 1]);
    expect((await type('centers')).out.split('\n').map(line => line.trimEnd())).toEqual([
      `   NAME  URL${' '.repeat(prod.url.length - 3)}  LOGGED IN UNTIL`,
      `   prod  ${prod.url}`,
      `*  test  ${test.url}`,
      '',
    ]);
    expect(JSON.parse((await type('centers --json')).out).items[1]).toEqual({
      name: 'test',
      url: test.url,
      current: true,
      loginUntil: null,
    });
  });

  test('the center in use is shown by --help, with the reason', async () => {
    const { prod, type } = two();
    expect((await type('--help')).out).toContain('Center: http://127.0.0.1:8899 (the default);');
    await type(`centers add prod ${prod.url}`);
    expect((await type('--help')).out).toContain(`Center: prod, ${prod.url} (the current one);`);
    expect((await type('--help', { TROUPE_URL: 'http://h' })).out).toContain('Center: http://h (by TROUPE_URL);');
    expect((await type('--center prod --help', { TROUPE_URL: 'http://h' })).out).toContain(`Center: prod, ${prod.url} (by --center);`);
  });

  test('--center takes a name, before the verb and behind it, and so do the other flags of every verb', async () => {
    const { prod, type } = two();
    await type(`centers add prod ${prod.url}`);
    await type('centers use http://127.0.0.1:1');
    for (const line of ['--center prod jobs', 'jobs --center prod', '--center=prod --json --utc jobs list', '--json jobs --center prod'])
      expect((await type(line)).exit).toBe(0);
    expect(prod.asked).toHaveLength(4);
    expect(JSON.parse((await type('--json --center prod jobs')).out)).toEqual(none);
    expect((await type('--center prdo jobs')).notices).toEqual([
      'troupe: --center is "prdo", but must be an address such as http://127.0.0.1:8899, or a name from "troupe centers"; did you mean prod?',
    ]);
    expect((await type('--center prod jobs --help')).out).toContain('troupe jobs');
  });

  test('troupe centers shows that the environment wins', async () => {
    const { prod, type } = two();
    await type(`centers add prod ${prod.url}`);
    expect((await type('centers use prod', { TROUPE_URL: 'http://h' })).notices).toEqual([
      'TROUPE_URL is set and wins over the current center: http://h',
    ]);
  });

  test('of several centers the serving one is asked, and asked first the next time', async () => {
    const { prod, test: other, type } = two();
    const standby = aCenter({ 'GET /v1/ready': () => error(503, 'standby', 'standby of prod') });
    const serving = aCenter({ 'GET /v1/ready': { status: 'ready' }, 'GET /v1/jobs': none, 'POST /v1/jobs/x/trigger': { execution: 'x' } });
    centers.push(standby, serving);
    await prod.stop();
    const env = { TROUPE_URL: `${prod.url},${standby.url},${serving.url}/` };
    expect((await type('jobs', env)).exit).toBe(0);
    expect([standby, serving].map(center => center.asked.map(({ path }) => path))).toEqual([['/v1/ready'], ['/v1/ready', '/v1/jobs']]);
    await type('trigger x', env);
    expect(standby.asked).toHaveLength(1);
    expect(serving.asked.slice(2).map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v1/ready', 'POST /v1/jobs/x/trigger']);
    await serving.stop();
    const { exit, notices } = await type('jobs', env);
    expect(exit).toBe(4);
    expect(notices.join(' ')).toContain(`no center serves: ${serving.url} cannot be reached`);
    expect(notices.join(' ').replace(/\s+/g, ' ')).toContain(`${standby.url} is a standby of prod`);
    // A name may stand for several.
    await type(`centers add both ${other.url},${standby.url}`);
    expect((await type('--center both jobs')).exit).toBe(0);
    expect(other.asked.map(({ path }) => path)).toEqual(['/v1/ready', '/v1/jobs']);
  });

  test('troupe centers removes a name with its login', async () => {
    const { prod, type } = two();
    await type(`centers add prod ${prod.url}`);
    expect((await type('centers remove prod')).out).toBe('removed prod\n');
    expect((await type('centers')).out).not.toContain(prod.url);
    expect((await type('centers remove prod')).exit).toBe(2);
    expect((await type('centers add a/b http://h')).exit).toBe(2);
  });
});
