/** Credentials are written in single statements, so that of two who spend the last use one finds it gone; reading them is a view. */
import { credentialId } from '../entities.ts';
import type { CredentialStore } from '../store.ts';
import type { Connections } from './connections.ts';

export function createCredentials({ writer, transact }: Connections): Omit<CredentialStore, 'credential' | 'credentials'> {
  const put = writer.prepare('insert or replace into credentials (_id, kind, id, data, expires_at, uses) values (?, ?, ?, ?, ?, ?)');
  const removal = writer.prepare('delete from credentials where _id = ?');
  const spending = writer.prepare(
    'update credentials set uses = uses - 1 where _id = ? and (uses is null or uses > 0) and (expires_at is null or expires_at > ?)',
  );
  const sweep = writer.prepare('delete from credentials where expires_at < ?');

  return {
    async putCredential({ kind, id, data, expiresAt, uses }) {
      transact(() => put.run(credentialId(kind, id), kind, id, JSON.stringify(data), expiresAt, uses));
    },

    async removeCredential(kind, id) {
      transact(() => removal.run(credentialId(kind, id)));
    },

    async spend(kind, id, now) {
      return transact(() => spending.run(credentialId(kind, id), now).changes) === 1;
    },

    async sweepCredentials(now) {
      return Number(transact(() => sweep.run(now).changes));
    },
  };
}
