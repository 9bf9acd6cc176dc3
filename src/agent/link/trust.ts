/**
 * Which center this agent obeys: the one that holds the key it knows. The key is known from the
 * operator (`--center-key`), from the first center that welcomed it, or from its join token; an
 * agent that knows none keeps the first one it meets.
 */

import { fingerprintOf, tokenFingerprint } from '../../protocol/agent.ts';
import type { Journal } from '../journal.ts';
import type { Identity } from '../ports.ts';

export interface Trust {
  /** Undefined: it is the one. Else why it is not. Remembers nothing. */
  refusal(proof: { key: string; text: string; signature: string }): string | undefined;
  /** The center that proved itself last has welcomed this agent: its key is kept. */
  welcomed(): void;
}

export function createTrust(parts: {
  identity: Pick<Identity, 'verify'>;
  journal: Pick<Journal, 'centerKey' | 'note'>;
  /** Fingerprint that the operator gave: it counts more than what is remembered. */
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
        return `it has the key ${fingerprint}, and this agent obeys ${expected} alone; where that key was lost, give the fingerprint that the center logs at its start: troupe agent --center-key`;
      }
      proven = fingerprint;
      return undefined;
    },
    welcomed() {
      if (proven !== undefined && journal.centerKey !== proven) journal.note([{ centerKey: proven }]);
    },
  };
}
