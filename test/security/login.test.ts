/** Logins under attack: guessing delays only the address it comes from. */
import { afterEach, describe, expect, test } from 'bun:test';
import { clientAddress } from '../../src/http/client-address.ts';
import type { Problem } from '../../src/http/errors.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLoginQueue, LOGINS_WAITING_MAX } from '../../src/security/login-queue.ts';
import { createPasswords, type Passwords, THREAD_IDLE_MS } from '../../src/security/passwords.ts';
import { createThrottle, FREE, networkOf, TRIES_EXPIRE_MS, WAIT_LAST_MS } from '../../src/security/throttle.ts';
import { anApi, json } from '../api/support.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

const PASSWORD = 'correct horse battery';
const SURFACES = ['/v1/login', '/api/login'] as const;

async function aLoginApi(passwords?: Passwords) {
  const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD }, ...(passwords ? { passwords } : {}) });
  const login = async (path: string, password: string, address: string, username = 'root') => {
    const init = { method: 'POST', headers: json, body: JSON.stringify({ username, password }) };
    const answer = await api.app.request(path, init, { address });
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), text: await answer.text() };
  };
  return { ...api, login };
}

describe.each(SURFACES)('a login through %s', path => {
  test('a login with the right password from an address without a wrong try is never refused, whatever twelve others try', async () => {
    const { login, clock } = await aLoginApi();
    const others: number[] = [];
    for (let round = 0; round < 40; round += 1) {
      for (let place = 0; place < 12; place += 1) others.push((await login(path, 'wrong', `10.0.1.${place}`)).status);
      expect((await login(path, PASSWORD, '10.0.2.1')).status).toBe(200);
      await clock.advance(500);
    }
    // The first try of each address is never delayed.
    expect(others.slice(0, 12)).toEqual(Array(12).fill(401));
    expect(others.filter(status => status === 401).length).toBeLessThan(70);
  });

  test('a login that has to wait says how long, in words and in Retry-After, and the wait grows to a minute', async () => {
    const { login, clock } = await aLoginApi();
    for (let times = 0; times < FREE.account; times += 1) await login(path, 'wrong', '10.0.1.1');
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      const refused = await login(path, PASSWORD, '10.0.1.1');
      expect([refused.status, refused.retryAfter]).toEqual([429, String(seconds)]);
      expect(refused.text).toContain(`too many logins failed from this address; try again in ${seconds} s`);
      await clock.advance(seconds * 1_000);
      expect((await login(path, 'wrong', '10.0.1.1')).status).toBe(401);
    }
  });

  test('a login of one who mistyped once waits a minute at most, and no other caller extends that', async () => {
    const { login, clock } = await aLoginApi();
    for (let place = 0; place < 12; place += 1) {
      for (let times = 0; times < 2; times += 1) await login(path, 'wrong', `10.0.1.${place}`);
    }
    expect((await login(path, 'mistyped', '10.0.2.1')).status).toBe(401);
    for (let waited = 0; waited < WAIT_LAST_MS; waited += 1_000) {
      for (let place = 0; place < 12; place += 1) await login(path, 'wrong', `10.0.1.${place}`);
      await clock.advance(1_000);
    }
    expect((await login(path, PASSWORD, '10.0.2.1')).status).toBe(200);
    // Its wrong try is removed.
    expect((await login(path, PASSWORD, '10.0.2.1')).status).toBe(200);
  });
});

describe('an address', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1%eth0', '2001:db8:1:2::/64'],
    ['unknown', 'unknown'],
  ])('the address %s counts as %s', (address, network) => expect(networkOf(address)).toBe(network));

  test('an address of IPv6 shares its count with the others of its /64 and with no other', () => {
    const throttle = createThrottle({ clock: createManualClock(0) });
    for (let times = 0; times < FREE.address; times += 1) throttle.wrong(`user${times}`, `2001:db8::${times + 1}`);
    expect(() => throttle.check('root', '2001:db8::ffff')).toThrow('try again in 1 s');
    expect(() => throttle.check('root', '2001:db8:0:1::1')).not.toThrow();
  });

  test.each([
    ['192.0.2.7', '10.0.0.1', 'proxies believed are those named', '10.0.0.1'],
    ['127.0.0.1', '', 'nothing forwarded', '127.0.0.1'],
    ['127.0.0.1', '192.0.2.7', 'one hop', '192.0.2.7'],
    ['127.0.0.1', '6.6.6.6, 192.0.2.7', 'what stands further left is the caller’s own word', '192.0.2.7'],
    ['127.0.0.1', '192.0.2.7, 10.1.2.3', 'two proxies', '192.0.2.7'],
    ['127.0.0.1', '192.0.2.7:4711', 'with a port', '192.0.2.7'],
    ['127.0.0.1', '[2001:db8::7]:4711', 'IPv6 with a port', '2001:db8::7'],
    ['::ffff:127.0.0.1', '192.0.2.7', 'IPv4-mapped', '192.0.2.7'],
    ['127.0.0.1', '192.0.2.7, unknown', 'no address', '127.0.0.1'],
    ['127.0.0.1', '10.1.1.1', 'all of them proxies', '10.1.1.1'],
  ])('the address of a peer %s that forwards "%s" (%s)', (peer, forwarded, _, client) => {
    const request = new Request('http://h/', { headers: { 'x-forwarded-for': forwarded } });
    const expected = peer === '192.0.2.7' ? peer : client;
    expect(clientAddress(request, peer, ['127.0.0.1', '10.0.0.0/8'])).toBe(expected);
    expect(clientAddress(request, peer, [])).toBe(peer);
  });
});

describe('the entries of the throttle', () => {
  test('the throttle has a limit, at which made-up names and addresses replace each other and not what is guessed at', () => {
    const clock = createManualClock(0);
    const throttle = createThrottle({ clock, recordsMax: 100 });
    for (let times = 0; times < 10; times += 1) throttle.wrong('root', '10.0.0.1');
    for (let place = 0; place < 1_000; place += 1) throttle.wrong(`name${place}`, `10.1.${place % 250}.${place >> 8}`);
    expect(() => throttle.check('root', '10.0.0.1')).toThrow('try again in 32 s');
    expect(throttle.wrongOf('10.0.0.1')).toBe(10);
    const kept = Array.from({ length: 1_000 }, (_, place) => throttle.wrongOf(`10.1.${place % 250}.${place >> 8}`)).filter(
      wrong => wrong > 0,
    );
    expect(kept.length).toBeLessThan(400);
    expect(throttle.wrongOf('10.1.249.3')).toBe(1);
  });

  test('the throttle deletes an entry a quarter of an hour after the last wrong try', async () => {
    const clock = createManualClock(0);
    const throttle = createThrottle({ clock });
    for (let times = 0; times < 10; times += 1) throttle.wrong('root', '10.0.0.1');
    await clock.advance(TRIES_EXPIRE_MS);
    expect(throttle.wrongOf('10.0.0.1')).toBe(0);
    throttle.wrong('root', '10.0.0.1');
    expect(() => throttle.check('root', '10.0.0.1')).not.toThrow();
  });

  test('the throttle keeps its entries after a login to an account of one’s own', () => {
    const throttle = createThrottle({ clock: createManualClock(0) });
    for (let times = 0; times < 6; times += 1) throttle.wrong('root', '10.0.0.1');
    throttle.wrong('mine', '10.0.0.1');
    throttle.right('mine', '10.0.0.1');
    expect(() => throttle.check('root', '10.0.0.1')).toThrow('try again in 2 s');
  });
});

describe('the queue of logins', () => {
  const entry = (wrong: number, check = () => {}) => ({ rank: () => wrong, check });
  const outcome = (work: Promise<unknown>) =>
    work.then(
      value => value,
      (problem: Problem) => `${problem.code} ${problem.retryAfterMs}`,
    );
  const aQueue = () => {
    const queue = createLoginQueue();
    const order: string[] = [];
    let open = () => {};
    const held = () =>
      new Promise<void>(resolve => {
        open = resolve;
      });
    const first = queue.inTurn(entry(0), held);
    const join = (name: string, wrong: number, check?: () => void) =>
      outcome(
        queue.inTurn(entry(wrong, check), async () => {
          order.push(name);
          return name;
        }),
      );
    return { join, order, open: () => open(), first };
  };

  test(`the queue of logins holds ${LOGINS_WAITING_MAX}; one more is asked to come back`, async () => {
    const { join, open, first } = aQueue();
    const all = Array.from({ length: LOGINS_WAITING_MAX + 2 }, (_, place) => join(`${place}`, 0));
    open();
    await first;
    const answers = await Promise.all(all);
    expect(answers.slice(0, LOGINS_WAITING_MAX)).toEqual(Array.from({ length: LOGINS_WAITING_MAX }, (_, place) => `${place}`));
    expect(answers.slice(LOGINS_WAITING_MAX)).toEqual(['tooMany 3000', 'tooMany 3000']);
  });

  test('the queue of logins refuses the login with the most wrong tries of its address, and serves the fewest first', async () => {
    const { join, open, order, first } = aQueue();
    const guessing = Array.from({ length: LOGINS_WAITING_MAX }, (_, place) => join(`guess ${place}`, place === 5 ? 9 : 3));
    const right = [join('right', 0), join('also right', 0)];
    open();
    await first;
    expect(await Promise.all(right)).toEqual(['right', 'also right']);
    const answers = await Promise.all(guessing);
    expect(answers[5]).toBe('tooMany 3000');
    expect(answers[LOGINS_WAITING_MAX - 1]).toBe('tooMany 3000');
    expect(answers.filter(answer => answer === 'tooMany 3000')).toHaveLength(2);
    expect(order.slice(0, 3)).toEqual(['right', 'also right', 'guess 0']);
  });

  test('the queue of logins goes on after a failure, and checks each login again at its turn', async () => {
    const { join, open, first } = aQueue();
    const refused = join('late', 0, () => {
      throw Object.assign(new Error(), { code: 'tooMany', retryAfterMs: 7 });
    });
    const next = join('next', 0);
    open();
    await first;
    expect([await refused, await next]).toEqual(['tooMany 7', 'next']);
  });
});

describe('hashing', () => {
  const made: Passwords[] = [];
  const thePasswords = (parts: Partial<Parameters<typeof createPasswords>[0]> = {}) => {
    const passwords = createPasswords({ clock: systemClock, ...parts });
    made.push(passwords);
    return passwords;
  };
  afterEach(() => {
    for (const passwords of made.splice(0)) passwords.close();
  });

  test('hashing knows its own hashes, and costs as much for an unknown user', async () => {
    const passwords = thePasswords();
    const hash = await passwords.hash('right');
    expect(hash).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$');
    expect(await passwords.verify('right', hash)).toBe(true);
    expect(await passwords.verify('wrong', hash)).toBe(false);
    expect(await passwords.verify('', hash)).toBe(false);
    expect(await passwords.verify('anything', passwords.dummyHash)).toBe(false);
    expect(passwords.dummyHash).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$');
    expect(String(await passwords.verify('x', 'no hash').catch(String))).toContain('a password cannot be hashed');
  });

  test('hashing leaves the main thread free', async () => {
    const passwords = thePasswords();
    await passwords.verify('warm', passwords.dummyHash);
    let turns = 0;
    let isOver = false;
    const hashed = Promise.all(Array.from({ length: 4 }, () => passwords.verify('x', passwords.dummyHash))).then(() => {
      isOver = true;
    });
    while (!isOver) {
      turns += 1;
      await new Promise(resolve => setImmediate(resolve));
    }
    await hashed;
    // Hashing in this thread would leave a handful.
    expect(turns).toBeGreaterThan(100);
  });

  test('hashing ends its thread after five seconds without work, and starts another when asked again', async () => {
    const clock = createManualClock(0);
    const passwords = thePasswords({ clock });
    expect(await passwords.verify('x', passwords.dummyHash)).toBe(false);
    await clock.advance(THREAD_IDLE_MS);
    expect(await passwords.verify('x', passwords.dummyHash)).toBe(false);
  });

  test('hashing in a thread that dies is answered with 503, and the next starts another thread', async () => {
    const script = `${tempDir('thread')}.ts`;
    await Bun.write(script, 'globalThis.onmessage = () => { throw new Error("broken"); };');
    const passwords = thePasswords({ script });
    for (let times = 0; times < 2; times += 1) {
      const asked = passwords.verify('x', passwords.dummyHash);
      expect(await asked.catch((problem: Problem) => problem)).toMatchObject({ code: 'unavailable', retryAfterMs: 1_000 });
    }
  });

  test('hashing that is under way when the center stops is answered, too', async () => {
    const passwords = thePasswords();
    const asked = passwords.verify('x', passwords.dummyHash);
    passwords.close();
    expect(await asked.catch((problem: Problem) => problem)).toMatchObject({ code: 'unavailable' });
  });
});

describe('an unknown user', () => {
  test('an unknown user costs the same look into the store and the same hash as a known one', async () => {
    const asked: string[] = [];
    const api = await aLoginApi();
    const hashes: string[] = [];
    const passwords: Passwords = {
      hash: async () => 'h',
      isHash: () => true,
      verify: async (_, hash) => {
        hashes.push(hash);
        return false;
      },
      dummyHash: 'nobodys',
      close() {},
    };
    const { createAuth } = await import('../../src/security/authentication.ts');
    const store = {
      ...api.store,
      credential: (kind: string, id: string) => {
        asked.push(`${kind} ${id}`);
        return api.store.credential(kind, id);
      },
    };
    const auth = createAuth({ ...api.center, config: { auth: 'on', rootPassword: null }, store, passwords });
    for (const user of ['root', 'nobody']) await auth.login(user, 'wrong', '10.0.0.1').catch(() => {});
    expect(asked).toEqual(['user root', 'user root']);
    expect(hashes).toEqual([expect.stringContaining('cheap'), 'nobodys']);
  });
});
