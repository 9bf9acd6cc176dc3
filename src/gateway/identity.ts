/** Identifies an agent by its key. A known key is a host; an unknown one joins as a new host. */
import { type Hello, helloText, PROTOCOL } from '../protocol/agent.ts';
import { readAgentKey } from '../security/agent-keys.ts';
import type { CredentialStore } from '../store/port.ts';
import { HandshakeRejected } from './handshake-rejected.ts';
import { createJoining, type JoiningParts } from './joining.ts';

const HOST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** An Ed25519 public key, bytes. */
const KEY_BYTES = 32;

export interface IdentityParts extends JoiningParts {
  store: Pick<CredentialStore, 'credential' | 'putCredential'>;
  /**
   * Whether `signature` (base64url) over the UTF-8 bytes of `text` was made with the private half
   * of `publicKey` (raw 32 bytes, base64url).
   */
  verify(publicKey: string, text: string, signature: string): boolean | Promise<boolean>;
}

export interface Identities {
  /** Checks what can be checked without the store. Throws HandshakeRejected. */
  prove(hello: Hello, nonce: string): Promise<void>;
  /**
   * Resolves with the id of the host; an unknown key joins first. Throws HandshakeRejected and
   * errors of store and runtime.
   */
  hostOf(hello: Hello, address: string): Promise<string>;
}

export function createIdentities(parts: IdentityParts): Identities {
  const { views, store } = parts;
  const joining = createJoining(parts);

  return {
    async prove(hello, nonce) {
      checkHello(hello);
      if (!(await parts.verify(hello.publicKey, helloText(nonce), hello.signature))) {
        throw new HandshakeRejected('signature', 'the signature does not fit the key and the challenge of this session');
      }
    },

    async hostOf(hello, address) {
      const known = await readAgentKey(store, hello.publicKey);
      if (!known) return joining.join(hello, address);
      const view = await views.get(`host/${known.host}`);
      // Read again where the host is absent: its key is marked before a retired host is deleted.
      const isRetired = view ? view.value === 'retired' : (await readAgentKey(store, hello.publicKey))?.retired === true;
      if (isRetired) throw new HandshakeRejected('retired', `host ${known.name} was retired; its key never serves again`);
      if (hello.pool !== undefined && hello.pool !== known.pool) {
        const sentence = `host ${known.name} belongs to pool ${known.pool}, but its agent names pool ${hello.pool}; start it with --pool ${known.pool}, or with another --data directory and a join token to join pool ${hello.pool} as a new host`;
        throw new HandshakeRejected('wrongPool', sentence);
      }
      if (!view) await joining.enroll(hello.publicKey, known);
      return known.host;
    },
  };
}

function checkHello({ protocol, name, publicKey }: Hello): void {
  if (protocol !== PROTOCOL) {
    throw new HandshakeRejected(
      'protocol',
      `this center speaks protocol ${PROTOCOL}, the agent ${protocol}; install the same release on both`,
    );
  }
  if (!HOST_NAME.test(name)) {
    throw new HandshakeRejected(
      'invalid',
      `"${name}" is no host name; use letters, digits, ".", "_" and "-", at most 100, the first a letter or digit`,
    );
  }
  const key = Buffer.from(publicKey, 'base64url');
  // One key has one text: with a second one the agent would be a second host.
  if (key.length !== KEY_BYTES || key.toString('base64url') !== publicKey) {
    throw new HandshakeRejected('invalid', `the public key is not ${KEY_BYTES} bytes in base64url`);
  }
}
