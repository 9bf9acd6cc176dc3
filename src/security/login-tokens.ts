/** Tokens of logins: random, stored only as hashes, valid for twelve hours or until logout. */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import type { CredentialStore } from '../store/port.ts';
import type { User } from './can.ts';

/** Life of a login token. */
export const TOKEN_MS = 12 * 3_600_000;
/** Limit of valid login tokens; a further login ends the one that would expire first. */
const TOKENS_MAX = 1_000;

const KIND = 'session';
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

export interface LoginToken {
  token: string;
  /** Epoch ms. */
  expiresAt: number;
}

interface LoginTokens {
  /** A token that is not stored: nothing checks it while authentication is off. */
  draw(): LoginToken;
  issue(user: string): Promise<LoginToken>;
  /** The user of a token; undefined when it is unknown or expired. */
  user(token: string): Promise<User | undefined>;
  /** Idempotent. */
  remove(token: string): Promise<void>;
  removeAll(): Promise<void>;
}

export function createLoginTokens({ store, clock, ids }: { store: CredentialStore; clock: Clock; ids: Ids }): LoginTokens {
  const draw = (): LoginToken => ({ token: `troupe_${ids.secret(32)}`, expiresAt: clock.now() + TOKEN_MS });

  return {
    draw,
    async issue(user) {
      const { token, expiresAt } = draw();
      await store.sweepCredentials(clock.now());
      const sessions = await store.credentials(KIND);
      const excess = sessions
        .sort((a, b) => (a.expiresAt ?? 0) - (b.expiresAt ?? 0))
        .slice(0, Math.max(0, sessions.length + 1 - TOKENS_MAX));
      for (const { id } of excess) await store.removeCredential(KIND, id);
      await store.putCredential({ kind: KIND, id: hashOf(token), data: { user }, expiresAt, uses: null });
      return { token, expiresAt };
    },
    async user(token) {
      const session = await store.credential(KIND, hashOf(token));
      if (!session || (session.expiresAt !== null && session.expiresAt <= clock.now())) return undefined;
      return typeof session.data.user === 'string' ? { name: session.data.user } : undefined;
    },
    remove: token => store.removeCredential(KIND, hashOf(token)),
    async removeAll() {
      for (const { id } of await store.credentials(KIND)) await store.removeCredential(KIND, id);
    },
  };
}
