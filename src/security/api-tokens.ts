/**
 * API tokens, for programs. A logged-in user creates one with a scope and a lifetime. It is shown
 * once, stored only as a hash, and deleted by name. A changed password ends logins, not API tokens.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import { SCOPES, type Scope } from '../protocol/rest/scope.ts';
import type { Credential, CredentialStore } from '../store/port.ts';
import { isInstant } from '../store/readable.ts';
import type { User } from './can.ts';
import { AccessError } from './errors.ts';

/** Limit of valid API tokens. */
const API_TOKENS_MAX = 1_000;

const KIND = 'apiToken';
const PREFIX = 'troupe_api_';
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

export interface ApiToken {
  name: string;
  scope: Scope;
  /** Epoch ms, all three. Last use: since this center started; null: none. */
  createdAt: number;
  expiresAt: number;
  lastUsedAt: number | null;
}

export interface ApiTokens {
  /** Throws AccessError `conflict` for a taken name, and beyond API_TOKENS_MAX. */
  createApiToken(want: { name: string; scope: Scope; expiresInMs: number }): Promise<ApiToken & { token: string }>;
  /** Valid tokens, ordered by name. */
  apiTokens(): Promise<ApiToken[]>;
  /** Resolves when the token permits nothing any more. Throws AccessError `notFound`. */
  removeApiToken(name: string): Promise<void>;
  /** The user of a token; undefined when it is no API token, expired or deleted. */
  apiTokenUser(token: string): Promise<User | undefined>;
}

export const isApiToken = (token: string): boolean => token.startsWith(PREFIX);

export function createApiTokens({ store, clock, ids }: { store: CredentialStore; clock: Clock; ids: Ids }): ApiTokens {
  // In memory: a write with each use would race with the removal of the token, and bring it back.
  const used = new Map<string, number>();
  const described = ({ id, data, expiresAt }: Credential): ApiToken => ({
    name: String(data.name),
    scope: SCOPES.find(each => each === data.scope) ?? 'metrics',
    createdAt: Number(data.createdAt),
    expiresAt: expiresAt ?? 0,
    lastUsedAt: used.get(id) ?? null,
  });
  /** A damaged record permits nothing. */
  const isLiving = ({ data, expiresAt }: Credential) =>
    isInstant(expiresAt) && expiresAt > clock.now() && typeof data.name === 'string' && isInstant(data.createdAt);
  const living = async () => (await store.credentials(KIND)).filter(isLiving);

  return {
    async createApiToken({ name, scope, expiresInMs }) {
      const now = clock.now();
      await store.sweepCredentials(now);
      const known = await living();
      if (known.some(({ data }) => data.name === name))
        throw new AccessError('conflict', `token ${name} exists already; choose another name`, { field: 'name' });
      if (known.length >= API_TOKENS_MAX)
        throw new AccessError('conflict', `there are ${known.length} tokens, the limit; delete one first`);
      const token = `${PREFIX}${ids.secret(32)}`;
      const record = { kind: KIND, id: hashOf(token), data: { name, scope, createdAt: now }, expiresAt: now + expiresInMs, uses: null };
      await store.putCredential(record);
      return { ...described(record), token };
    },

    async apiTokens() {
      return (await living()).map(described).sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    async removeApiToken(name) {
      const found = (await store.credentials(KIND)).filter(({ data }) => data.name === name);
      if (found.length === 0) throw new AccessError('notFound', `token not found: ${name}`);
      for (const { id } of found) {
        await store.removeCredential(KIND, id);
        used.delete(id);
      }
    },

    async apiTokenUser(token) {
      const id = hashOf(token);
      const record = await store.credential(KIND, id);
      if (!record || !isLiving(record)) return undefined;
      used.set(id, clock.now());
      const { name, scope } = described(record);
      return { name: `token ${name}`, scope };
    },
  };
}
