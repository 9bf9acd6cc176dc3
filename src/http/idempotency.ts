/**
 * Idempotency-Key of a POST with a body: the same key gives the same response for a day, and is
 * refused with another body.
 *
 *   first --> (key, body) stored --> done --> response stored beside it
 *         \--> refused, nothing was done: key deleted
 *
 *   repeated before the response is stored   executed again; the command finds its work done
 *   repeated afterwards                      the stored response
 *
 * A trigger has no body and does not come here: its job stores the keys.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { createKeyedMutex } from '../lib/keyed-mutex.ts';
import type { CredentialStore } from '../store/port.ts';
import { Problem } from './errors.ts';

/** Lifetime of a key, ms. */
export const KEY_MS = 86_400_000;
/** Longest stored response, characters; a repeat of a longer one gets the current state. */
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
   * that identifies this request: a created actor stores it, so a repeat finds the actor. Throws
   * Problem `conflict` for a key that had another body, and the errors of `work`.
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
          const sentence = `Idempotency-Key ${JSON.stringify(key)} was used with another body; use another key for another request`;
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
