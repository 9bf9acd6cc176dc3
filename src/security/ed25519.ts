/**
 * Checks the signature of a hello. The agent hub gets the check as a parameter, because the
 * simulation has its own.
 */
import { createPublicKey, verify } from 'node:crypto';

/** False also for malformed keys and signatures. */
export function verifyEd25519(publicKey: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'));
  } catch {
    // An invalid key throws.
    return false;
  }
}
