/**
 * Authentication: one user, `root`, logs in by password and gets an opaque token. Tokens are stored
 * only as hashes and end after twelve hours or at logout. Programs have API tokens
 * (`api-tokens.ts`). With authentication off every caller is root.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { CredentialStore } from '../store/port.ts';
import { type ApiTokens, createApiTokens, isApiToken } from './api-tokens.ts';
import type { User } from './can.ts';
import { AccessError } from './errors.ts';
import { createJoinTokens, type JoinTokens } from './join-tokens.ts';
import { createLoginQueue } from './login-queue.ts';
import { createPasswords, PASSWORD_MAX, type Passwords } from './passwords.ts';
import { createThrottle } from './throttle.ts';

/** Life of a login token. */
export const TOKEN_MS = 12 * 3_600_000;
/** Limit of valid login tokens; a further login ends the one that would expire first. */
const TOKENS_MAX = 1_000;
/** A password given by the operator that is shorter is warned about. */
const PASSWORD_SHORT = 12;

interface Token {
  token: string;
  /** Epoch ms. */
  expiresAt: number;
}

export interface Auth extends JoinTokens, Omit<ApiTokens, 'apiTokenUser'> {
  /**
   * Makes sure that `root` has a password: the configured one, else the stored one, else a random
   * one, which is returned to be shown once. To be called at each start, and again where it failed.
   * A changed password ends all logins.
   */
  prepare(): Promise<{ user: string; password: string | null }>;
  /**
   * Deletes the password that `prepare` generated: it was not shown, the next start makes another.
   */
  withdraw(): Promise<void>;
  /** Throws AccessError `unauthorized` (same for wrong user and wrong password) and `tooMany`. */
  login(user: string, password: string, address: string): Promise<Token>;
  /** Ends the thread that hashes passwords. Idempotent. */
  close(): void;
  /** Idempotent. An API token is deleted by its name instead. */
  logout(token: string): Promise<void>;
  /** The user of a token; undefined when it is none, ended, or absent. */
  who(token: string | undefined): Promise<User | undefined>;
}

/** The token that a request carries: header `accessToken`, else `Authorization: Bearer`. */
export function tokenIn({ headers }: Request): string | undefined {
  return headers.get('accesstoken') ?? /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1];
}

const ROOT: User = { name: 'root' };
const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

export function createAuth({
  config,
  store,
  clock,
  ids,
  log,
  passwords = createPasswords({ clock }),
  fingerprint,
}: {
  /** `rootPassword` null: none is configured. */
  config: { auth: 'on' | 'off'; rootPassword: string | null };
  store: CredentialStore;
  clock: Clock;
  ids: Ids;
  log: Pick<Log, 'warn' | 'error'>;
  passwords?: Passwords;
  /** Of the installation's key, for join tokens; undefined: they carry none. */
  fingerprint?: () => string | undefined;
}): Auth {
  const throttle = createThrottle({ clock });
  const queue = createLoginQueue();
  const { apiTokenUser: programOf, ...apiTokens } = createApiTokens({ store, clock, ids });

  /** The password that this start generated. */
  let drawn: string | null = null;
  const keepPassword = async (password: string) => {
    await store.putCredential({ kind: 'user', id: ROOT.name, data: { hash: await passwords.hash(password) }, expiresAt: null, uses: null });
    for (const { id } of await store.credentials('session')) await store.removeCredential('session', id);
  };
  /** `isDamaged`: there is a password that cannot be read. */
  const stored = async (): Promise<{ hash: string | undefined; isDamaged: boolean }> => {
    const record = await store.credential('user', ROOT.name);
    const hash = record?.data.hash;
    const isHash = typeof hash === 'string' && passwords.isHash(hash);
    return { hash: isHash ? hash : undefined, isDamaged: record !== undefined && !isHash };
  };
  const storedHash = async (): Promise<string | undefined> => (await stored()).hash;
  const issue = async (): Promise<Token> => {
    const token = `troupe_${ids.secret(32)}`;
    const expiresAt = clock.now() + TOKEN_MS;
    if (config.auth === 'off') return { token, expiresAt };
    await store.sweepCredentials(clock.now());
    const sessions = await store.credentials('session');
    const excess = sessions.sort((a, b) => (a.expiresAt ?? 0) - (b.expiresAt ?? 0)).slice(0, Math.max(0, sessions.length + 1 - TOKENS_MAX));
    for (const { id } of excess) await store.removeCredential('session', id);
    await store.putCredential({ kind: 'session', id: hashOf(token), data: { user: ROOT.name }, expiresAt, uses: null });
    return { token, expiresAt };
  };

  return {
    ...createJoinTokens({ store, clock, ids, fingerprint }),
    ...apiTokens,

    async prepare() {
      if (config.auth === 'off') return { user: ROOT.name, password: null };
      const { hash, isDamaged } = await stored();
      const given = config.rootPassword;
      if (given !== null) {
        if (given.length < PASSWORD_SHORT) log.warn(`user root: the password is shorter than ${PASSWORD_SHORT} characters`);
        if (hash === undefined || !(await passwords.verify(given, hash))) await keepPassword(given);
        return { user: ROOT.name, password: null };
      }
      // The store kept the password although the write reported a failure: nobody has seen it yet.
      if (hash !== undefined) return { user: ROOT.name, password: drawn !== null && (await passwords.verify(drawn, hash)) ? drawn : null };
      // A new password in the log would let in a caller who damaged the old one on purpose.
      if (isDamaged) {
        log.error('user root: the stored password is damaged and opens nothing; start once with TROUPE_ROOT_PASSWORD to set another one');
        return { user: ROOT.name, password: null };
      }
      drawn ??= ids.secret(18);
      await keepPassword(drawn);
      return { user: ROOT.name, password: drawn };
    },

    async withdraw() {
      await store.removeCredential('user', ROOT.name);
    },

    async login(user, password, address) {
      if (config.auth === 'off') return issue();
      const check = () => throttle.check(user, address);
      check();
      // One at a time: each result counts before the next login is checked.
      return queue.inTurn({ rank: () => throttle.wrongOf(address), check }, async () => {
        // An unknown user costs the same time, in the store too, and gets the same answer.
        const stored = await storedHash();
        const hash = user === ROOT.name ? stored : undefined;
        const isRight = password.length <= PASSWORD_MAX && (await passwords.verify(password, hash ?? passwords.dummyHash));
        if (hash === undefined || !isRight) {
          throttle.wrong(user, address);
          throw new AccessError('unauthorized', 'user or password is wrong');
        }
        throttle.right(user, address);
        return issue();
      });
    },

    close: () => passwords.close(),

    async logout(token) {
      await store.removeCredential('session', hashOf(token));
    },

    async who(token) {
      if (config.auth === 'off') return ROOT;
      if (!token?.startsWith('troupe_') || token.length > 100) return undefined;
      if (isApiToken(token)) return programOf(token);
      const session = await store.credential('session', hashOf(token));
      if (!session || (session.expiresAt !== null && session.expiresAt <= clock.now())) return undefined;
      return typeof session.data.user === 'string' ? { name: session.data.user } : undefined;
    },
  };
}
