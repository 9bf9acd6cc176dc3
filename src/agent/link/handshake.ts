/** The handshake with a center: it proves its key, then the agent sends its hello. */
import type { Ids } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import { centerText, type Hello, PROTOCOL } from '../../protocol/agent.ts';
import type { Challenge, OutgoingFrame } from './frames.ts';

/** Refusals that need an operator: soon retries do not change them. */
const FINAL = new Set(['unknownKey', 'joinTokenInvalid', 'identityInUse', 'retired', 'rejectedByPool', 'wrongPool', 'protocol']);

export interface HandshakeListener {
  hello(challenge: Challenge): Hello;
  /** Why the center with that proof is not trusted; undefined: it is. */
  refusal(proof: { key: string; text: string; signature: string }): string | undefined;
}

interface Handshake {
  challenged(challenge: Challenge): void;
  /** Why the center is not trusted. Undefined: it is, or it sent the proof twice. */
  proof(proof: { key: string; signature: string }): string | undefined;
  isProven(): boolean;
  /** Any server could send a refusal, so one without a proof is not final. */
  isFinal(code: string): boolean;
}

/** The agent sends its hello only to a center that has proved its key. */
export function createHandshake(
  { ids, log }: { ids: Ids; log: Log },
  { url, on, write }: { url: string; on: HandshakeListener; write(frame: OutgoingFrame): void },
): Handshake {
  let challenge: Challenge | undefined;
  let nonce: string | undefined;
  let isProven = false;
  return {
    challenged(received) {
      if (received.protocol < PROTOCOL)
        log.warn('the center has an older protocol', { center: url, protocol: received.protocol, ours: PROTOCOL });
      if (challenge) return;
      challenge = received;
      nonce = ids.secret(32);
      write({ type: 'prove', nonce });
    },
    proof({ key, signature }) {
      if (!challenge || nonce === undefined) return undefined;
      const text = centerText(nonce, challenge.nonce);
      nonce = undefined;
      const refusal = on.refusal({ key, text, signature });
      if (refusal !== undefined) return refusal;
      isProven = true;
      write(on.hello(challenge));
      return undefined;
    },
    isProven: () => isProven,
    isFinal: code => isProven && FINAL.has(code),
  };
}
