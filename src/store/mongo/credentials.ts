/** Credentials. A use is spent by compare-and-set: of two calls for the last one, one fails. */

import { CredentialEntity } from '../entities.ts';
import type { CredentialStore } from '../port.ts';
import { credentialId } from '../record-ids.ts';
import { collectionsOf, managerOf, type Orm } from './connection.ts';
import { deleteMatching } from './delete-matching.ts';
import { asked } from './errors.ts';
import { upsert } from './upsert.ts';

export function createCredentials(orm: Orm): Omit<CredentialStore, 'credential' | 'credentials'> {
  // The driver repeats a write of one document when the primary changes, and knows whether the
  // first attempt was applied. A repeat of a write of the ORM could spend two uses.
  const { credentials } = collectionsOf(orm);
  return {
    async putCredential({ kind, id, data, expiresAt, uses }) {
      await upsert(orm, CredentialEntity, credentialId(kind, id), { kind, id, data, expiresAt, uses });
    },

    async removeCredential(kind, id) {
      await asked(() => credentials.deleteOne({ _id: credentialId(kind, id) }));
    },

    async spend(kind, id, now) {
      const _id = credentialId(kind, id);
      for (;;) {
        const record = await asked(() => managerOf(orm).findOne(CredentialEntity, { _id }));
        const { uses = null, expiresAt = null } = record ?? {};
        if (!record || uses === 0 || (expiresAt !== null && expiresAt <= now)) return false;
        if (uses === null) return true;
        const { matchedCount } = await asked(() => credentials.updateOne({ _id, uses }, { $set: { uses: uses - 1 } }));
        if (matchedCount === 1) return true;
      }
    },

    async sweepCredentials(now) {
      return deleteMatching(orm, CredentialEntity, { expiresAt: { $lt: now } });
    },
  };
}
