/** Compares the epochs of agents with those of this center, and raises its own above them. */
import { type Hello, readEpochs } from '../protocol/agent.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { HandshakeRejected } from './handshake-rejected.ts';
import type { HubLog } from './limits.ts';

interface EpochCheck {
  /**
   * An agent with higher epochs than this center has served a later state of its data.
   * Throws HandshakeRejected and Unavailable.
   */
  raiseAbove(host: string, hello: Hello): Promise<void>;
}

export function createEpochCheck(parts: {
  runtime: Pick<Runtime, 'raiseEpochs'>;
  /** The store holds an earlier state than an agent has served; a sentence for the operator. */
  onEarlierState(text: string): void;
  log: HubLog;
}): EpochCheck {
  /** Hosts that have connected to this center. */
  const served = new Set<string>();

  return {
    async raiseAbove(host, hello) {
      const known = readEpochs(hello.epochs);
      if (!known)
        throw new HandshakeRejected('invalid', 'epochs of the hello must be "partition:epoch" pairs with a space between two of them');
      // Before this center has commanded a host, equal epochs are from a later state, too.
      const more = served.has(host) ? 0 : 1;
      const by = await parts.runtime.raiseEpochs(known.map(([partition, epoch]) => [partition, epoch + more]));
      served.add(host);
      if (by === 0) return;
      const text =
        'agents have served a later state of this data: an earlier copy was put back by hand. Its epochs were raised by ' +
        `${by}, and work acknowledged after the copy was made is lost`;
      parts.log('error', text, { name: hello.name });
      parts.onEarlierState(text);
    },
  };
}
