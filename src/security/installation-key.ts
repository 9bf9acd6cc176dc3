/**
 * The key by which agents know the installation: Ed25519, generated once, the same for every center
 * of a database. The store and its backups contain the private key; no route returns it.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { fingerprintOf } from '../protocol/agent.ts';
import type { CredentialStore } from '../store/port.ts';

const KIND = 'installationKey';
const ID = 'ed25519';

export interface InstallationKey {
  /** Raw 32 bytes, base64url. */
  readonly publicKey: string;
  /** Part of join tokens; agents store it. */
  readonly fingerprint: string;
  /** Signature over the UTF-8 bytes of `text`, base64url. */
  sign(text: string): string;
}

/**
 * Generates the key at the first start. Throws what the store throws, and an Error for a damaged
 * key: a new one would lock out every agent.
 */
export async function openInstallationKey(store: Pick<CredentialStore, 'credential' | 'putCredential'>): Promise<InstallationKey> {
  const stored = await store.credential(KIND, ID);
  if (stored) return asKey(stored.data);
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  await store.putCredential({ kind: KIND, id: ID, data: { x, d }, expiresAt: null, uses: null });
  // Another center may start for the first time as well: the store decides which key stays.
  return asKey((await store.credential(KIND, ID))?.data ?? {});
}

function asKey({ x, d }: Record<string, unknown>): InstallationKey {
  const key = privateKeyOf(x, d);
  const publicKey = String(x);
  return {
    publicKey,
    fingerprint: fingerprintOf(publicKey),
    sign: text => sign(null, Buffer.from(text), key).toString('base64url'),
  };
}

function privateKeyOf(x: unknown, d: unknown): KeyObject {
  try {
    return createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x: String(x), d: String(d) }, format: 'jwk' });
  } catch (cause) {
    throw new Error('the key of this installation in the store is no Ed25519 key; restore a backup, because agents accept no other key', {
      cause,
    });
  }
}
