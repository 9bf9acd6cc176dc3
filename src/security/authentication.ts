/**
 * Authentication: one user, `root`, logs in by password and gets an opaque token
 * (`login-tokens.ts`). Programs have API tokens (`api-tokens.ts`). With authentication off every
 * caller is root.
 */
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { isFileToken } from '../protocol/agent.ts';
import type { CredentialStore } from '../store/port.ts';
import { type ApiTokens, createApiTokens, isApiToken } from './api-tokens.ts';
import type { User } from './can.ts';
import { AccessError } from './errors.ts';
import { createJoinTokens, type JoinTokens } from './join-tokens.ts';
import { createLoginQueue } from './login-queue.ts';
import { createLoginTokens, type LoginToken } from './login-tokens.ts';
import { createPasswords, PASSWORD_MAX, type Passwords } from './passwords.ts';
import { createRootPassword } from './root-password.ts';
import { createThrottle } from './throttle.ts';

export interface Auth extends JoinTokens, Omit<ApiTokens, 'apiTokenUser'> {
  /**
   * Sets the password of `root`: the configured one, else the stored one, else a random one. Only a
   * random one is returned, to be shown once. Call it at each start, and again after a failure. A
   * changed password ends all logins.
   */
  prepare(): Promise<{ user: string; password: string | null }>;
  /**
   * Deletes the generated password when it could not be shown: the next start generates another.
   */
  withdraw(): Promise<void>;
  /** Throws AccessError `unauthorized` (same for wrong user and wrong password) and `tooMany`. */
  login(user: string, password: string, address: string): Promise<LoginToken>;
  /** Ends the thread that hashes passwords. Idempotent. */
  close(): void;
  /** Idempotent. An API token is deleted by its name instead. */
  logout(token: string): Promise<void>;
  /** The user of a token; undefined when it is absent, unknown or expired. */
  who(token: string | undefined): Promise<User | undefined>;
}

/** The token that a request carries: header `accessToken`, else `Authorization: Bearer`. */
export function tokenIn({ headers }: Request): string | undefined {
  return headers.get('accesstoken') ?? /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1];
}

const ROOT: User = { name: 'root' };

export function createAuth({
  config,
  store,
  clock,
  ids,
  log,
  passwords = createPasswords({ clock }),
  fingerprint,
  agentOf = () => undefined,
}: {
  /** `rootPassword` null: none is configured. */
  config: { auth: 'on' | 'off'; rootPassword: string | null };
  store: CredentialStore;
  clock: Clock;
  ids: Ids;
  log: Pick<Log, 'warn' | 'error'>;
  passwords?: Passwords;
  /** Fingerprint of the installation's key, for join tokens; undefined: they carry none. */
  fingerprint?: () => string | undefined;
  /** The host of the session with this token. Default: no agent has one. */
  agentOf?: (token: string) => string | undefined;
}): Auth {
  const throttle = createThrottle({ clock });
  const queue = createLoginQueue();
  const { apiTokenUser: programOf, ...apiTokens } = createApiTokens({ store, clock, ids });
  const tokens = createLoginTokens({ store, clock, ids });
  const rootPassword = createRootPassword({
    user: ROOT.name,
    configured: config.rootPassword,
    store,
    ids,
    log,
    passwords,
    onChanged: tokens.removeAll,
  });

  return {
    ...createJoinTokens({ store, clock, ids, fingerprint }),
    ...apiTokens,

    async prepare() {
      return { user: ROOT.name, password: config.auth === 'off' ? null : await rootPassword.prepare() };
    },

    withdraw: rootPassword.remove,

    async login(user, password, address) {
      if (config.auth === 'off') return tokens.draw();
      const check = () => throttle.check(user, address);
      check();
      // One at a time: each result counts before the next login is checked.
      return queue.inTurn({ rank: () => throttle.wrongOf(address), check }, async () => {
        // An unknown user costs the same time, in the store too, and gets the same answer.
        const stored = await rootPassword.hash();
        const hash = user === ROOT.name ? stored : undefined;
        const isRight = password.length <= PASSWORD_MAX && (await passwords.verify(password, hash ?? passwords.dummyHash));
        if (hash === undefined || !isRight) {
          throttle.wrong(user, address);
          throw new AccessError('unauthorized', 'user or password is wrong');
        }
        throttle.right(user, address);
        return tokens.issue(ROOT.name);
      });
    },

    close: () => passwords.close(),

    logout: tokens.remove,

    async who(token) {
      if (config.auth === 'off') return ROOT;
      if (!token?.startsWith('troupe_') || token.length > 100) return undefined;
      if (isApiToken(token)) return programOf(token);
      if (isFileToken(token)) {
        const host = agentOf(token);
        return host === undefined ? undefined : { name: `host ${host}`, scope: 'agent' };
      }
      return tokens.user(token);
    },
  };
}
