/** Credentials in memory, by kind and id. `data` is stored as JSON, as in every other store. */
import { compareText } from '../order.ts';
import type { Credential, CredentialStore } from '../port.ts';
import { readableCredential } from '../readable.ts';

type StoredCredential = Omit<Credential, 'data'> & { data: string };

export function createMemoryCredentials(): CredentialStore {
  const records = new Map<string, StoredCredential>();
  const key = (kind: string, id: string) => JSON.stringify([kind, id]);

  return {
    async putCredential({ kind, id, data, expiresAt, uses }) {
      records.set(key(kind, id), { kind, id, data: JSON.stringify(data), expiresAt, uses });
    },

    async credential(kind, id) {
      const record = records.get(key(kind, id));
      return record && asRead(record);
    },

    async removeCredential(kind, id) {
      records.delete(key(kind, id));
    },

    async credentials(kind) {
      return [...records.values()]
        .filter(record => record.kind === kind)
        .sort((a, b) => compareText(a.id, b.id))
        .map(asRead);
    },

    async spend(kind, id, now) {
      const record = records.get(key(kind, id));
      if (!record || (record.expiresAt !== null && record.expiresAt <= now) || record.uses === 0) return false;
      if (record.uses !== null) record.uses -= 1;
      return true;
    },

    async sweepCredentials(now) {
      const expired = [...records].filter(([, { expiresAt }]) => expiresAt !== null && expiresAt < now);
      for (const [index] of expired) records.delete(index);
      return expired.length;
    },
  };
}

const asRead: (record: StoredCredential) => Credential = readableCredential;
