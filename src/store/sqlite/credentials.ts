/**
 * Credentials are written by single statements, so that two callers cannot both take the last use.
 * Every request looks one up.
 */

import type { Credential, CredentialStore } from '../port.ts';
import { type Raw, readableCredential } from '../readable.ts';
import { credentialId } from '../record-ids.ts';
import type { Sync } from '../sync.ts';
import { type ReadConnection, rows, type WriteConnection } from './connections.ts';

export function credentialWrites({ writer, transact }: WriteConnection): Sync<Omit<CredentialStore, 'credential' | 'credentials'>> {
  const put = writer.prepare('insert or replace into credentials (_id, kind, id, data, expires_at, uses) values (?, ?, ?, ?, ?, ?)');
  const removal = writer.prepare('delete from credentials where _id = ?');
  const spending = writer.prepare(
    'update credentials set uses = uses - 1 where _id = ? and (uses is null or uses > 0) and (expires_at is null or expires_at > ?)',
  );
  const sweep = writer.prepare('delete from credentials where expires_at < ?');

  return {
    putCredential({ kind, id, data, expiresAt, uses }) {
      transact(() => void put.run(credentialId(kind, id), kind, id, JSON.stringify(data), expiresAt, uses));
    },

    removeCredential(kind, id) {
      transact(() => void removal.run(credentialId(kind, id)));
    },

    spend(kind, id, now) {
      return transact(() => spending.run(credentialId(kind, id), now).changes) === 1;
    },

    sweepCredentials(now) {
      return Number(transact(() => sweep.run(now).changes));
    },
  };
}

export function credentialReads({ reader, read }: ReadConnection): Pick<CredentialStore, 'credential' | 'credentials'> {
  const columns = 'kind, id, data, expires_at as expiresAt, uses';
  const one = reader.prepare(`select ${columns} from credentials where _id = ?`);
  const all = reader.prepare(`select ${columns} from credentials where kind = ? order by id`);

  return {
    async credential(kind, id) {
      const [row] = read(() => rows<Raw<Credential>>(one, credentialId(kind, id)));
      return row && readableCredential(row);
    },

    async credentials(kind) {
      return read(() => rows<Raw<Credential>>(all, kind)).map(readableCredential);
    },
  };
}
