/** The first start, logins and join tokens. */
import { describe, expect, test } from 'bun:test';
import { systemClock } from '../../src/lib/clock.ts';
import { createAuth } from '../../src/security/authentication.ts';
import { TOKEN_MS } from '../../src/security/login-tokens.ts';
import { createPasswords } from '../../src/security/passwords.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { type CredentialStore, StoreUnavailable } from '../../src/store/port.ts';
import { anApi, type TestApi } from '../api/support.ts';

const PASSWORD = 'correct horse battery';
const on = { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD };
const login = (api: TestApi, password = PASSWORD, username = 'root') => api.post('/v1/login', { username, password });

describe('the first start', () => {
  test('the first start draws a password, gives it once, and keeps only its hash', async () => {
    const store = createMemoryStore();
    const first = await anApi({ env: { TROUPE_AUTH: 'on' }, store, passwords: createPasswords({ clock: systemClock }) });
    expect(first.password).toBeString();
    expect(JSON.stringify(await store.credentials('user'))).not.toContain(first.password ?? '');
    expect((await store.credential('user', 'root'))?.data.hash).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$');
    expect((await login(first, first.password ?? '')).status).toBe(200);
    const second = await anApi({ env: { TROUPE_AUTH: 'on' }, store, passwords: createPasswords({ clock: systemClock }) });
    expect(second.password).toBeNull();
    expect((await login(second, first.password ?? '')).status).toBe(200);
  });

  test('the first start gives the same password again where it was unknown whether it was kept', async () => {
    const store = createMemoryStore();
    let lost = 0;
    const deaf: CredentialStore = {
      ...store,
      async putCredential(credential) {
        await store.putCredential(credential);
        if (++lost === 1) throw new StoreUnavailable('the answer was lost');
      },
    };
    const { clock, ids, log } = (await anApi()).center;
    const auth = createAuth({ config: { auth: 'on', rootPassword: null }, store: deaf, clock, ids, log });
    await expect(auth.prepare()).rejects.toThrow('the answer was lost');
    const { password } = await auth.prepare();
    expect((await auth.login('root', password ?? '', 'x')).token).toStartWith('troupe_');
  });

  test('the first start takes a password that is given, any length, and warns about a short one', async () => {
    const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'x' } });
    expect(api.password).toBeNull();
    expect(api.log.lines).toEqual([
      { level: 'warn', sentence: 'user root: the password is shorter than 12 characters', fields: undefined },
    ]);
    expect((await login(api, 'x')).status).toBe(200);
  });

  test('a start with another password ends all logins; with the same one none', async () => {
    const store = createMemoryStore();
    const api = await anApi({ env: on, store });
    const { token } = (await login(api)).body;
    const same = await anApi({ env: on, store });
    expect((await same.get('/v1/jobs', { accessToken: token })).status).toBe(200);
    const other = await anApi({ env: { ...on, TROUPE_ROOT_PASSWORD: 'another password' }, store });
    expect((await other.get('/v1/jobs', { accessToken: token })).status).toBe(401);
    expect((await login(other)).status).toBe(401);
  });
});

describe('a login', () => {
  test('a login gives an opaque token that both headers take, and that is stored as a hash', async () => {
    const api = await anApi({ env: on });
    const { status, body } = await login(api);
    expect(status).toBe(200);
    expect(body).toEqual({ token: expect.stringMatching(/^troupe_/), expiresAt: new Date(api.clock.now() + TOKEN_MS).toISOString() });
    expect((await api.get('/v1/jobs', { accessToken: body.token })).status).toBe(200);
    expect((await api.get('/v1/jobs', { Authorization: `Bearer ${body.token}` })).status).toBe(200);
    expect((await api.get('/api/app/list', { accesstoken: body.token })).text).toBe('[]');
    expect(JSON.stringify(await api.store.credentials('session'))).not.toContain(body.token);
  });

  test('a login ends after twelve hours', async () => {
    const api = await anApi({ env: on });
    const { token } = (await login(api)).body;
    await api.clock.advance(TOKEN_MS - 1);
    expect((await api.get('/v1/jobs', { accessToken: token })).status).toBe(200);
    await api.clock.advance(1);
    expect((await api.get('/v1/jobs', { accessToken: token })).status).toBe(401);
  });

  test('a login ends with logout, and only that one', async () => {
    const api = await anApi({ env: on });
    const [one, two] = [(await login(api)).body.token, (await login(api)).body.token];
    expect((await api.post('/v1/logout', undefined, { accessToken: one })).status).toBe(204);
    expect((await api.get('/v1/jobs', { accessToken: one })).status).toBe(401);
    expect((await api.get('/v1/jobs', { accessToken: two })).status).toBe(200);
  });

  test('a login through ElasticJob-Cloud gives an accessToken, and 401 with its own body for any mistake', async () => {
    const api = await anApi({ env: on });
    const { body } = await api.post('/api/login', { username: 'root', password: PASSWORD });
    expect(Object.keys(body)).toEqual(['accessToken']);
    expect((await api.get('/api/job/jobs', { accessToken: body.accessToken })).text).toBe('[]');
    for (const wrong of [
      { username: 'root', password: 'pwd' },
      { username: 'guest', password: 'guest' },
      { username: 'root' },
      {},
      [],
      { username: 1, password: {} },
      '',
    ]) {
      const answer = await api.post('/api/login', wrong);
      expect([answer.status, answer.text]).toEqual([401, '{"message":"Unauthorized."}']);
    }
    expect((await api.post('/api/login', '{"username"')).status).toBe(400);
  });

  test('a login answers the same for an unknown user as for a wrong password', async () => {
    const api = await anApi({ env: on });
    const [wrong, unknown] = [await login(api, 'wrong'), await login(api, PASSWORD, 'admin')];
    expect([wrong.status, wrong.text]).toEqual([401, unknown.text]);
    expect(unknown.status).toBe(401);
  });

  test('a login is tried five times without a delay, then waits longer each time, and a right one starts afresh', async () => {
    const api = await anApi({ env: on });
    for (let times = 0; times < 5; times += 1) expect((await login(api, 'wrong')).status).toBe(401);
    const first = await login(api);
    expect([first.status, first.body.error.code, first.headers.get('retry-after')]).toEqual([429, 'tooMany', '1']);
    await api.clock.advance(1_000);
    expect((await login(api, 'wrong')).status).toBe(401);
    expect((await login(api)).headers.get('retry-after')).toBe('2');
    await api.clock.advance(2_000);
    expect((await login(api)).status).toBe(200);
    for (let times = 0; times < 5; times += 1) expect((await login(api, 'wrong')).status).toBe(401);
  });

  test('a login never waits more than a minute, so that no user is locked out', async () => {
    const api = await anApi({ env: on });
    for (let times = 0; times < 15; times += 1) {
      await login(api, 'wrong');
      await api.clock.advance(60_000);
    }
    expect((await login(api)).status).toBe(200);
  });

  test('logins of many users from one address are slowed down too', async () => {
    const api = await anApi({ env: on });
    const answers: number[] = [];
    for (let times = 0; times < 22; times += 1) answers.push((await login(api, 'wrong', `user${times}`)).status);
    expect(answers.slice(19)).toEqual([401, 429, 429]);
  });

  test('many logins at once do not bypass the count', async () => {
    const api = await anApi({ env: on });
    const answers = await Promise.all(Array.from({ length: 12 }, () => login(api, 'wrong')));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
  });

  test('a login with authentication off gives a token to any caller, and no caller needs one', async () => {
    const api = await anApi();
    expect((await api.post('/api/login', { username: 'root', password: 'pwd' })).body.accessToken).toBeString();
    expect((await login(api, '', 'anybody')).status).toBe(200);
    expect((await api.get('/v1/jobs', { accessToken: 'whatever' })).status).toBe(200);
  });
});

describe('a join token', () => {
  test('a join token is made with defaults, kept as a hash, and spent once', async () => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/join-tokens');
    expect(status).toBe(201);
    expect(body).toEqual({ token: expect.stringMatching(/^troupe_join_/), expiresAt: '2026-11-22T09:00:00.000Z' });
    expect(JSON.stringify(await api.store.credentials('joinToken'))).not.toContain(body.token);
    expect(await api.auth.spendJoinToken(body.token, api.clock.now())).toEqual({ pool: null });
    expect(await api.auth.spendJoinToken(body.token, api.clock.now())).toBeUndefined();
  });

  test('a join token is for its pool, its uses and its time', async () => {
    const api = await anApi();
    const { body } = await api.post('/v1/join-tokens', { pool: 'default', uses: 3, expiresInMs: 1_000 });
    expect(await api.auth.spendJoinToken(body.token, api.clock.now())).toEqual({ pool: 'default' });
    await api.clock.advance(999);
    expect(await api.auth.spendJoinToken(body.token, api.clock.now())).toEqual({ pool: 'default' });
    await api.clock.advance(1);
    expect(await api.auth.spendJoinToken(body.token, api.clock.now())).toBeUndefined();
    expect(await api.auth.spendJoinToken('troupe_join_x', api.clock.now())).toBeUndefined();
  });

  test('a join token is refused for more than an hour, no uses, and a pool that is not there', async () => {
    const api = await anApi();
    for (const [wish, field] of [
      [{ expiresInMs: 3_600_001 }, 'expiresInMs'],
      [{ uses: 0 }, 'uses'],
      [{ pool: 'nope' }, 'pool'],
      [{ use: 1 }, 'use'],
    ] as const) {
      expect((await api.post('/v1/join-tokens', wish)).body.error.field).toBe(field);
    }
  });
});
