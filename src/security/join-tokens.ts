/**
 * Join tokens: an agent presents one to become a host. Random, short-lived, valid for a number of
 * uses, stored only as a hash.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import type { CredentialStore } from '../store/port.ts';

const KIND = 'joinToken';
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

export interface JoinTokens {
  /** `pool` null: the agent may name its pool itself. */
  createJoinToken(want: { pool: string | null; uses: number; expiresInMs: number }): Promise<{ token: string; expiresAt: number }>;
  /** Its pool (null: any), without taking a use; undefined: not valid at `now` (epoch ms). */
  readJoinToken(token: string, now: number): Promise<{ pool: string | null } | undefined>;
  /**
   * Takes one use. Resolves with the pool that it is for (null: any), or undefined when it is
   * unknown, used up, or too old at `now` (epoch ms).
   */
  spendJoinToken(token: string, now: number): Promise<{ pool: string | null } | undefined>;
}

export function createJoinTokens({
  store,
  clock,
  ids,
  fingerprint,
}: {
  store: CredentialStore;
  clock: Clock;
  ids: Ids;
  /** Fingerprint of the installation's key; undefined: tokens carry none. */
  fingerprint?: (() => string | undefined) | undefined;
}): JoinTokens {
  /** Hash of the secret, without the fingerprint behind it. */
  const idOf = (token: string) => hashOf(token.split('.')[0] ?? '');

  return {
    async createJoinToken({ pool, uses, expiresInMs }) {
      const now = clock.now();
      const secret = `troupe_join_${ids.secret(32)}`;
      const known = fingerprint?.();
      const expiresAt = now + expiresInMs;
      await store.sweepCredentials(now);
      await store.putCredential({ kind: KIND, id: idOf(secret), data: { pool }, expiresAt, uses });
      return { token: known === undefined ? secret : `${secret}.${known}`, expiresAt };
    },
    async readJoinToken(token, now) {
      const record = await store.credential(KIND, idOf(token));
      if (!record || record.damage !== undefined || (record.uses ?? 1) < 1 || (record.expiresAt ?? now + 1) <= now) return undefined;
      return { pool: typeof record.data.pool === 'string' ? record.data.pool : null };
    },
    async spendJoinToken(token, now) {
      const id = idOf(token);
      const record = await store.credential(KIND, id);
      if (!record || record.damage !== undefined || !(await store.spend(KIND, id, now))) return undefined;
      return { pool: typeof record.data.pool === 'string' ? record.data.pool : null };
    },
  };
}
