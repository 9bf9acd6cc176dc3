/** The password of `root`: configured, stored as a hash, or drawn at random and shown once. */
import type { Ids } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { CredentialStore } from '../store/port.ts';
import type { Passwords } from './passwords.ts';

/** A shorter configured password gets a warning in the log. */
const PASSWORD_SHORT = 12;

const KIND = 'user';

interface RootPassword {
  /** See `Auth.prepare`. The password to show; null: there is none to show. */
  prepare(): Promise<string | null>;
  /** Deletes the stored password. Idempotent. */
  remove(): Promise<void>;
  /** The stored hash; undefined: there is none, or it cannot be read. */
  hash(): Promise<string | undefined>;
}

export function createRootPassword(parts: {
  user: string;
  /** Null: none is configured. */
  configured: string | null;
  store: CredentialStore;
  ids: Ids;
  log: Pick<Log, 'warn' | 'error'>;
  passwords: Passwords;
  /** Ends all logins of the user. */
  onChanged(): Promise<void>;
}): RootPassword {
  const { user, configured, store, log, passwords } = parts;
  /** The password that this start generated. */
  let drawn: string | null = null;

  const keep = async (password: string) => {
    await store.putCredential({ kind: KIND, id: user, data: { hash: await passwords.hash(password) }, expiresAt: null, uses: null });
    await parts.onChanged();
  };
  /** `isDamaged`: there is a password that cannot be read. */
  const read = async (): Promise<{ hash: string | undefined; isDamaged: boolean }> => {
    const record = await store.credential(KIND, user);
    const hash = record?.data.hash;
    const isHash = typeof hash === 'string' && passwords.isHash(hash);
    return { hash: isHash ? hash : undefined, isDamaged: record !== undefined && !isHash };
  };

  return {
    async prepare() {
      const { hash, isDamaged } = await read();
      if (configured !== null) {
        if (configured.length < PASSWORD_SHORT) log.warn(`user ${user}: the password is shorter than ${PASSWORD_SHORT} characters`);
        if (hash === undefined || !(await passwords.verify(configured, hash))) await keep(configured);
        return null;
      }
      // The store kept the password although the write reported a failure: it was not shown yet.
      if (hash !== undefined) return drawn !== null && (await passwords.verify(drawn, hash)) ? drawn : null;
      // A new password in the log would let in a caller who damaged the old one on purpose.
      if (isDamaged) {
        log.error(
          `user ${user}: the stored password is damaged, so no login succeeds; start once with TROUPE_ROOT_PASSWORD to set another one`,
        );
        return null;
      }
      drawn ??= parts.ids.secret(18);
      await keep(drawn);
      return drawn;
    },
    remove: () => store.removeCredential(KIND, user),
    hash: async () => (await read()).hash,
  };
}
