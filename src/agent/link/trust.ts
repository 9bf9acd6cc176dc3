/**
 * Which center this agent trusts: the one with the known key. The operator gives it
 * (`--center-key`), or the first welcoming center, or the join token; without any the agent trusts
 * the first center and stores its key.
 */
import { fingerprintOf, tokenFingerprint } from '../../protocol/agent.ts';
import type { Journal } from '../journal.ts';
import type { Identity } from '../ports.ts';

export interface Trust {
  /** Why the center is not trusted; undefined: it is. Stores nothing. */
  refusal(proof: { key: string; text: string; signature: string }): string | undefined;
  /** Stores the key of the center that proved itself last. */
  welcomed(): void;
}

export function createTrust(parts: {
  identity: Pick<Identity, 'verify'>;
  journal: Pick<Journal, 'centerKey' | 'note'>;
  /** Fingerprint from the operator; replaces the stored one. */
  centerKey: string | undefined;
  joinToken: string | undefined;
}): Trust {
  const { identity, journal } = parts;
  const known = () =>
    parts.centerKey ?? journal.centerKey ?? (parts.joinToken === undefined ? undefined : tokenFingerprint(parts.joinToken));
  let proven: string | undefined;
  return {
    refusal({ key, text, signature }) {
      if (!identity.verify(key, text, signature)) return 'its signature does not fit its key';
      const fingerprint = fingerprintOf(key);
      const expected = known();
      if (expected !== undefined && expected !== fingerprint) {
        return `it has the key ${fingerprint}, and this agent trusts ${expected} alone; if that key is lost, give the fingerprint that the center logs at its start: troupe agent --center-key`;
      }
      proven = fingerprint;
      return undefined;
    },
    welcomed() {
      if (proven !== undefined && journal.centerKey !== proven) journal.note([{ centerKey: proven }]);
    },
  };
}
