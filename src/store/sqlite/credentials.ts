/** Credentials are written in single statements, so that of two who spend the last use one finds it gone. One is looked up with every request. */
import { credentialId } from '../entities.ts';
import type { Credential, CredentialStore } from '../store.ts';
import { type Connections, rows } from './connections.ts';

export function createCredentials({ writer, reader, transact, read }: Connections): Omit<CredentialStore, 'credentials'> {
  const put = writer.prepare('insert or replace into credentials (_id, kind, id, data, expires_at, uses) values (?, ?, ?, ?, ?, ?)');
  const removal = writer.prepare('delete from credentials where _id = ?');
  const spending = writer.prepare(
    'update credentials set uses = uses - 1 where _id = ? and (uses is null or uses > 0) and (expires_at is null or expires_at > ?)',
  );
  const sweep = writer.prepare('delete from credentials where expires_at < ?');
  const one = reader.prepare('select kind, id, data, expires_at as expiresAt, uses from credentials where _id = ?');

  return {
    async credential(kind, id) {
      const [row] = read(() => rows<Omit<Credential, 'data'> & { data: string }>(one, credentialId(kind, id)));
      return row && { ...row, data: JSON.parse(row.data) as Credential['data'] };
    },

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
