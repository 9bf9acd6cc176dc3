/** Credentials. Compare-and-set takes a use: of two who spend the last one, one fails. */

import type { CredentialStore } from '../port.ts';
import { credentialId } from '../record-ids.ts';
import type { Collections } from './connection.ts';
import { asked } from './errors.ts';

export function createCredentials({ credentials }: Collections): Omit<CredentialStore, 'credential' | 'credentials'> {
  return {
    async putCredential({ kind, id, data, expiresAt, uses }) {
      await asked(() =>
        credentials.updateOne({ _id: credentialId(kind, id) }, { $set: { kind, id, data, expiresAt, uses } }, { upsert: true }),
      );
    },

    async removeCredential(kind, id) {
      await asked(() => credentials.deleteOne({ _id: credentialId(kind, id) }));
    },

    async spend(kind, id, now) {
      const _id = credentialId(kind, id);
      for (;;) {
        const record = await asked(() => credentials.findOne({ _id }));
        const { uses = null, expiresAt = null } = record ?? {};
        if (!record || uses === 0 || (expiresAt !== null && expiresAt <= now)) return false;
        if (uses === null) return true;
        const spent = await asked(() => credentials.updateOne({ _id, uses }, { $set: { uses: uses - 1 } }));
        if (spent.matchedCount === 1) return true;
      }
    },

    async sweepCredentials(now) {
      return (await asked(() => credentials.deleteMany({ expiresAt: { $lt: now } }))).deletedCount;
    },
  };
}
