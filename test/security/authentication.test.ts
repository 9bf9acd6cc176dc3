/** The first start, logins and join tokens. */
import { describe, expect, test } from 'bun:test';
import { systemClock } from '../../src/lib/clock.ts';
import { createAuth, TOKEN_MS } from '../../src/security/authentication.ts';
import { createPasswords } from '../../src/security/passwords.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { type CredentialStore, StoreUnavailable } from '../../src/store/port.ts';
import { aDoor, type Door } from '../api/support.ts';

const PASSWORD = 'correct horse battery';
const on = { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD };
const login = (door: Door, password = PASSWORD, username = 'root') => door.post('/v1/login', { username, password });

describe('the first start', () => {
  test('draws a password, gives it once, and keeps only its hash', async () => {
    const store = createMemoryStore();
    const first = await aDoor({ env: { TROUPE_AUTH: 'on' }, store, passwords: createPasswords({ clock: systemClock }) });
    expect(first.password).toBeString();
    expect(JSON.stringify(await store.credentials('user'))).not.toContain(first.password ?? '');
    expect((await store.credential('user', 'root'))?.data.hash).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$');
    expect((await login(first, first.password ?? '')).status).toBe(200);
    const second = await aDoor({ env: { TROUPE_AUTH: 'on' }, store, passwords: createPasswords({ clock: systemClock }) });
    expect(second.password).toBeNull();
    expect((await login(second, first.password ?? '')).status).toBe(200);
  });

  test('that is tried again, since nobody knew whether its password was kept, gives that password all the same', async () => {
    const store = createMemoryStore();
    let lost = 0;
    const deaf: CredentialStore = {
      ...store,
      async putCredential(credential) {
        await store.putCredential(credential);
        if (++lost === 1) throw new StoreUnavailable('the answer was lost');
      },
    };
    const { clock, ids, log } = (await aDoor()).center;
    const auth = createAuth({ config: { auth: 'on', rootPassword: null }, store: deaf, clock, ids, log });
    await expect(auth.prepare()).rejects.toThrow('the answer was lost');
    const { password } = await auth.prepare();
    expect((await auth.login('root', password ?? '', 'x')).token).toStartWith('troupe_');
  });

  test('takes a password that is given, any length, and warns about a short one', async () => {
    const door = await aDoor({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'x' } });
    expect(door.password).toBeNull();
    expect(door.log.lines).toEqual([
      { level: 'warn', sentence: 'user root: the password is shorter than 12 characters', fields: undefined },
    ]);
    expect((await login(door, 'x')).status).toBe(200);
  });

  test('with another password ends all logins; with the same one none', async () => {
    const store = createMemoryStore();
    const door = await aDoor({ env: on, store });
    const { token } = (await login(door)).body;
    const same = await aDoor({ env: on, store });
    expect((await same.get('/v1/jobs', { accessToken: token })).status).toBe(200);
    const other = await aDoor({ env: { ...on, TROUPE_ROOT_PASSWORD: 'another password' }, store });
    expect((await other.get('/v1/jobs', { accessToken: token })).status).toBe(401);
    expect((await login(other)).status).toBe(401);
  });
});

describe('a login', () => {
  test('gives an opaque token that both headers take, and that is stored as a hash', async () => {
    const door = await aDoor({ env: on });
    const { status, body } = await login(door);
    expect(status).toBe(200);
    expect(body).toEqual({ token: expect.stringMatching(/^troupe_/), expiresAt: new Date(door.clock.now() + TOKEN_MS).toISOString() });
    expect((await door.get('/v1/jobs', { accessToken: body.token })).status).toBe(200);
    expect((await door.get('/v1/jobs', { Authorization: `Bearer ${body.token}` })).status).toBe(200);
    expect((await door.get('/api/app/list', { accesstoken: body.token })).text).toBe('[]');
    expect(JSON.stringify(await door.store.credentials('session'))).not.toContain(body.token);
  });

  test('ends after twelve hours', async () => {
    const door = await aDoor({ env: on });
    const { token } = (await login(door)).body;
    await door.clock.advance(TOKEN_MS - 1);
    expect((await door.get('/v1/jobs', { accessToken: token })).status).toBe(200);
    await door.clock.advance(1);
    expect((await door.get('/v1/jobs', { accessToken: token })).status).toBe(401);
  });

  test('ends with logout, and only that one', async () => {
    const door = await aDoor({ env: on });
    const [one, two] = [(await login(door)).body.token, (await login(door)).body.token];
    expect((await door.post('/v1/logout', undefined, { accessToken: one })).status).toBe(204);
    expect((await door.get('/v1/jobs', { accessToken: one })).status).toBe(401);
    expect((await door.get('/v1/jobs', { accessToken: two })).status).toBe(200);
  });

  test('through ElasticJob-Cloud gives an accessToken, and 401 with its own body for whatever is wrong', async () => {
    const door = await aDoor({ env: on });
    const { body } = await door.post('/api/login', { username: 'root', password: PASSWORD });
    expect(Object.keys(body)).toEqual(['accessToken']);
    expect((await door.get('/api/job/jobs', { accessToken: body.accessToken })).text).toBe('[]');
    for (const wrong of [
      { username: 'root', password: 'pwd' },
      { username: 'guest', password: 'guest' },
      { username: 'root' },
      {},
      [],
      { username: 1, password: {} },
      '',
    ]) {
      const answer = await door.post('/api/login', wrong);
      expect([answer.status, answer.text]).toEqual([401, '{"message":"Unauthorized."}']);
    }
    expect((await door.post('/api/login', '{"username"')).status).toBe(400);
  });

  test('says the same of an unknown user as of a wrong password', async () => {
    const door = await aDoor({ env: on });
    const [wrong, unknown] = [await login(door, 'wrong'), await login(door, PASSWORD, 'admin')];
    expect([wrong.status, wrong.text]).toEqual([401, unknown.text]);
    expect(unknown.status).toBe(401);
  });

  test('is tried five times for nothing, then waits longer each time, and a right one starts afresh', async () => {
    const door = await aDoor({ env: on });
    for (let times = 0; times < 5; times += 1) expect((await login(door, 'wrong')).status).toBe(401);
    const first = await login(door);
    expect([first.status, first.body.error.code, first.headers.get('retry-after')]).toEqual([429, 'tooMany', '1']);
    await door.clock.advance(1_000);
    expect((await login(door, 'wrong')).status).toBe(401);
    expect((await login(door)).headers.get('retry-after')).toBe('2');
    await door.clock.advance(2_000);
    expect((await login(door)).status).toBe(200);
    for (let times = 0; times < 5; times += 1) expect((await login(door, 'wrong')).status).toBe(401);
  });

  test('never waits more than a minute: nobody is locked out', async () => {
    const door = await aDoor({ env: on });
    for (let times = 0; times < 15; times += 1) {
      await login(door, 'wrong');
      await door.clock.advance(60_000);
    }
    expect((await login(door)).status).toBe(200);
  });

  test('of many users from one address is slowed down too', async () => {
    const door = await aDoor({ env: on });
    const answers: number[] = [];
    for (let times = 0; times < 22; times += 1) answers.push((await login(door, 'wrong', `user${times}`)).status);
    expect(answers.slice(19)).toEqual([401, 429, 429]);
  });

  test('of many at once does not slip through the count', async () => {
    const door = await aDoor({ env: on });
    const answers = await Promise.all(Array.from({ length: 12 }, () => login(door, 'wrong')));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
  });

  test('with authentication off gives a token to anybody, and nobody needs one', async () => {
    const door = await aDoor();
    expect((await door.post('/api/login', { username: 'root', password: 'pwd' })).body.accessToken).toBeString();
    expect((await login(door, '', 'anybody')).status).toBe(200);
    expect((await door.get('/v1/jobs', { accessToken: 'whatever' })).status).toBe(200);
  });
});

describe('a join token', () => {
  test('is made with defaults, kept as a hash, and spent once', async () => {
    const door = await aDoor();
    const { status, body } = await door.post('/v1/join-tokens');
    expect(status).toBe(201);
    expect(body).toEqual({ token: expect.stringMatching(/^troupe_join_/), expiresAt: '2026-11-22T09:00:00.000Z' });
    expect(JSON.stringify(await door.store.credentials('joinToken'))).not.toContain(body.token);
    expect(await door.auth.spendJoinToken(body.token, door.clock.now())).toEqual({ pool: null });
    expect(await door.auth.spendJoinToken(body.token, door.clock.now())).toBeUndefined();
  });

  test('is for its pool, its uses and its time', async () => {
    const door = await aDoor();
    const { body } = await door.post('/v1/join-tokens', { pool: 'default', uses: 3, expiresInMs: 1_000 });
    expect(await door.auth.spendJoinToken(body.token, door.clock.now())).toEqual({ pool: 'default' });
    await door.clock.advance(999);
    expect(await door.auth.spendJoinToken(body.token, door.clock.now())).toEqual({ pool: 'default' });
    await door.clock.advance(1);
    expect(await door.auth.spendJoinToken(body.token, door.clock.now())).toBeUndefined();
    expect(await door.auth.spendJoinToken('troupe_join_x', door.clock.now())).toBeUndefined();
  });

  test('is refused for more than an hour, no uses, and a pool that is not there', async () => {
    const door = await aDoor();
    for (const [wish, field] of [
      [{ expiresInMs: 3_600_001 }, 'expiresInMs'],
      [{ uses: 0 }, 'uses'],
      [{ pool: 'nope' }, 'pool'],
      [{ use: 1 }, 'use'],
    ] as const) {
      expect((await door.post('/v1/join-tokens', wish)).body.error.field).toBe(field);
    }
  });
});
