/**
 * Checks the signature of a hello. A file of its own because it is the only place of the hub that
 * needs cryptography; the simulation brings its own.
 */
import { createPublicKey, verify } from 'node:crypto';

/** False also for keys and signatures that are none. */
export function verifyEd25519(publicKey: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'));
  } catch {
    // An invalid key throws.
    return false;
  }
}
