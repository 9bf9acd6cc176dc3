/**
 * Idempotency-Key of a POST with a body: the same key gives the same answer for a day, and is
 * refused for another body.
 *
 *   first --> (key, body) kept --> done --> answer kept beside it
 *         \--> refused, nothing was done: key free again
 *
 *   again, before the answer is kept   executed anew; the command finds its work done
 *   again, afterwards                  the kept answer
 *
 * A trigger without a body needs none of this: its job remembers its keys.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { createKeyedMutex } from '../lib/keyed-mutex.ts';
import type { CredentialStore } from '../store/port.ts';
import { Problem } from './errors.ts';

/** How long a key is kept, ms. */
export const KEY_MS = 86_400_000;
/** A longer response is not kept; a repeated request then gets the current state. Characters. */
const ANSWER_MAX = 64 * 1024;
/** Between deletions of expired keys, ms. */
const SWEEP_MS = 3_600_000;

const KIND = 'idempotencyKey';

interface KeptResponse {
  status: number;
  text: string;
}

export interface IdempotencyKeys {
  /**
   * Calls `work` once per `scope` and key, and resolves with its response. `work` receives a claim
   * that identifies this request: what it creates stores the claim, so a repeat finds it. Throws
   * Problem `conflict` for a key that had another body, and what `work` throws.
   */
  once(request: { scope: string; key: string; body: unknown }, work: (claim: string) => Promise<KeptResponse>): Promise<KeptResponse>;
}

export function createIdempotencyKeys({ store, clock }: { store: IdempotencyStore; clock: Clock }): IdempotencyKeys {
  const inTurn = createKeyedMutex();
  let sweptAt = clock.now();

  const begin = async (id: string, digest: string) => {
    const now = clock.now();
    if (now - sweptAt >= SWEEP_MS) {
      sweptAt = now;
      await store.sweepCredentials(now);
    }
    await keep(id, { digest });
  };
  const keep = (id: string, data: Record<string, unknown>) =>
    store.putCredential({ kind: KIND, id, data, expiresAt: clock.now() + KEY_MS, uses: null });

  return {
    once({ scope, key, body }, work) {
      const id = hashOf(JSON.stringify([scope, key]));
      const digest = hashOf(JSON.stringify(body));
      return inTurn(id, async () => {
        const found = await store.credential(KIND, id);
        const known = found && (found.expiresAt ?? 0) > clock.now() ? found.data : undefined;
        if (known && known.digest !== digest) {
          const sentence = `Idempotency-Key ${JSON.stringify(key)} came with another body before; another request needs another key`;
          throw new Problem('conflict', sentence, { field: 'Idempotency-Key' });
        }
        if (known && typeof known.text === 'string' && isStatus(known.status)) return { status: Number(known.status), text: known.text };
        if (!known) await begin(id, digest);
        const answered = await work(`${id}:${digest}`).catch(async (error: unknown) => {
          // A refusal changed nothing. The outcome of another error is unknown: the key keeps its
          // body.
          if (isRefusal(error)) await store.removeCredential(KIND, id);
          throw error;
        });
        if (answered.text.length <= ANSWER_MAX) await keep(id, { digest, ...answered });
        return answered;
      });
    },
  };
}

export type IdempotencyStore = Pick<CredentialStore, 'credential' | 'putCredential' | 'removeCredential' | 'sweepCredentials'>;

const isStatus = (status: unknown): boolean => Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599;
const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

const REFUSALS = new Set(['invalid', 'conflict', 'notFound', 'refused', 'quarantined', 'noSuchActor']);
const isRefusal = (error: unknown): boolean => error instanceof Error && 'code' in error && REFUSALS.has(String(error.code));
