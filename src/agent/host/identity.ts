/** The host's Ed25519 key, created at the first start, readable by its owner alone. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk, Identity } from '../ports.ts';

const KEY_FILE = 'identity.pem';

/** Throws when the file is there and holds no Ed25519 key: a new key would be another host. */
export async function openIdentity(disk: Disk, directory: string): Promise<Identity> {
  const written = await disk.read(KEY_FILE);
  const key = written === undefined ? await makeKey(disk) : readKey(written);
  await chmod(join(directory, KEY_FILE), 0o600);
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  if (x === undefined) throw new Error(`${KEY_FILE} in the agent's data directory has no public key; restore the file`);
  return { publicKey: x, sign: text => sign(null, Buffer.from(text, 'utf8'), key).toString('base64url'), verify: verifies };
}

function verifies(publicKey: string, text: string, signature: string): boolean {
  try {
    const center = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    return verify(null, Buffer.from(text, 'utf8'), center, Buffer.from(signature, 'base64url'));
  } catch {
    // What is no key verifies nothing.
    return false;
  }
}

async function makeKey(disk: Disk): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519');
  await disk.replace(KEY_FILE, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  return privateKey;
}

function readKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new Error(`${KEY_FILE} in the agent's data directory holds no key; restore the file, or delete it to join as a new host`, {
      cause,
    });
  }
  throw new Error(`${KEY_FILE} in the agent's data directory holds a key of another kind than Ed25519; restore the file`);
}
