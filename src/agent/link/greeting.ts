/**
 * The agent's hello, and its state about centers: whether the dialled one has its key, and whether
 * that center's store was restored to an earlier state.
 */
import {
  AGENT_FRAME_MAX,
  type Capabilities,
  EPOCHS_RAISED,
  type Hello,
  helloText,
  PROTOCOL,
  type Run,
  writeEpochs,
} from '../../protocol/agent.ts';
import type { Journal } from '../journal.ts';
import type { Identity } from '../ports.ts';
import type { Challenge } from './frames.ts';

export interface GreetingSettings {
  name: string;
  /** Undefined: its settings name none. */
  pool: string | undefined;
  capabilities: Capabilities;
  bootId: string;
  dataDirId?: string;
  joinToken?: string;
}

export interface Greeting {
  hello(challenge: Challenge): Hello;
  /** Returns whether the center may lack ends that it has acknowledged: they must be repeated. */
  welcomed(): { isBehind: boolean };
  /** True: further attempts at this center are of no use. */
  refused(code: string): boolean;
}

/** Refusals of an agent that never joined: its token is wrong, used, expired or missing. */
const NEVER_JOINS = new Set(['unknownKey', 'joinTokenInvalid']);

export function createGreeting(parts: {
  journal: Journal;
  identity: Identity;
  instanceId: string;
  settings: GreetingSettings;
  runs: { list(): Hello['runs']; acknowledgedEnds(): Run[] };
}): Greeting {
  const { journal, identity, instanceId, settings, runs } = parts;
  /** The last dialled center did not have the key of this agent. */
  let isUnknown = false;
  let isBehind = false;
  /** `instanceId` of the center that welcomed this agent last, and of the dialled one. */
  let lastCenter: string | undefined;
  let nextCenter: string | undefined;

  function hello(nonce: string): Hello {
    // A center with a restored store may lack this agent, though it has joined.
    const token = journal.joined && !isUnknown ? undefined : settings.joinToken;
    return {
      type: 'hello',
      protocol: PROTOCOL,
      name: settings.name,
      ...(settings.pool === undefined ? {} : { pool: settings.pool }),
      publicKey: identity.publicKey,
      signature: identity.sign(helloText(nonce)),
      ...(token === undefined ? {} : { joinToken: token }),
      bootId: settings.bootId,
      instanceId,
      ...(settings.dataDirId === undefined ? {} : { dataDirId: settings.dataDirId }),
      capabilities: settings.capabilities,
      epochs: writeEpochs(journal.epochs()),
      runs: runs.list(),
    };
  }

  return {
    hello(challenge) {
      isBehind = isRestored(challenge, journal, lastCenter);
      nextCenter = challenge.instanceId;
      const greeting = hello(challenge.nonce);
      return isBehind ? withEnds(greeting, runs.acknowledgedEnds()) : greeting;
    },
    welcomed() {
      isUnknown = false;
      lastCenter = nextCenter;
      if (!journal.joined) journal.note([{ joined: true }]);
      return { isBehind };
    },
    refused(code) {
      isUnknown = code === 'unknownKey';
      return NEVER_JOINS.has(code) && !journal.joined;
    },
  };
}

/**
 * Each process of a center has higher epochs than the one before. Where they are not higher, or
 * were raised, its store was restored to an earlier state.
 */
function isRestored({ epoch, instanceId }: Challenge, journal: Journal, lastCenter: string | undefined): boolean {
  const known = Math.max(-1, ...[...journal.epochs()].map(([, highest]) => highest));
  if (known < 0 || instanceId === lastCenter) return false;
  return epoch <= known || epoch - known >= EPOCHS_RAISED;
}

/**
 * Adds ended runs, the latest of them where not all fit into a frame. Ends of the others are
 * reported after the welcome.
 */
function withEnds(hello: Hello, ended: Run[]): Hello {
  let left = AGENT_FRAME_MAX - Buffer.byteLength(JSON.stringify(hello));
  const added: Hello['runs'] = [];
  for (const run of ended.toReversed()) {
    const one = { run, state: 'ended' as const };
    left -= Buffer.byteLength(JSON.stringify(one)) + 1;
    if (left < 0) break;
    added.push(one);
  }
  return { ...hello, runs: [...hello.runs, ...added.reverse()] };
}
