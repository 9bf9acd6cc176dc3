/**
 * Enrols an unknown key as a new host: by a join token, or freely from the machine of a center
 * without authentication. The record of the key is written before the host is enrolled, so the next
 * hello finishes an interrupted enrolment.
 */
import { namedBy } from '../../actors/pool/admission.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import { isLoopbackAddress } from '../lib/ip-ranges.ts';
import { createSingleFlight } from '../lib/single-flight.ts';
import type { Hello } from '../protocol/agent.ts';
import type { View } from '../runtime/document.ts';
import { Refused } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Views } from '../runtime/views.ts';
import { type AgentKey, writeAgentKey } from '../security/agent-keys.ts';
import type { CredentialStore } from '../store/port.ts';
import { HandshakeRejected } from './handshake-rejected.ts';
import { createHostNames } from './host-names.ts';

/** Pool of an agent that names none and whose token names none. */
const DEFAULT_POOL = 'default';

interface Joining {
  /**
   * Enrolls a new host. Resolves with its id. Throws HandshakeRejected, and what store and runtime
   * throw.
   */
  join(hello: Hello, address: string): Promise<string>;
  /** Idempotent. Throws errors of the runtime. */
  enroll(publicKey: string, key: Pick<AgentKey, 'host' | 'name' | 'pool'>): Promise<void>;
}

export interface JoiningParts {
  runtime: Pick<Runtime, 'ask'>;
  views: Pick<Views, 'get' | 'list'>;
  store: Pick<CredentialStore, 'putCredential'>;
  clock: Clock;
  ids: Ids;
  hostGraceMs: number;
  /** Pool of a join token (null: any); undefined when it cannot be spent at `now` (epoch ms). */
  readJoinToken(token: string, now: number): Promise<{ pool: string | null } | undefined>;
  /** Takes one use of a join token; undefined: none left, expired at `now` or unknown. */
  spendJoinToken(token: string, now: number): Promise<{ pool: string | null } | undefined>;
  auth: 'on' | 'off';
}

export function createJoining(parts: JoiningParts): Joining {
  const { runtime, views, store, ids } = parts;
  const hostNames = createHostNames(views);
  const poolOf = createPoolReader(parts);
  const permits = createPermits(parts);

  const enroll: Joining['enroll'] = async (publicKey, { host, name, pool }) => {
    try {
      await runtime.ask(`host/${host}`, { type: 'host.enroll', id: host, name, pool, publicKey, graceMs: parts.hostGraceMs });
    } catch (problem) {
      // Enrolled by an earlier hello whose answer was lost.
      if (!(problem instanceof Refused)) throw problem;
    }
  };

  return {
    enroll,
    async join(hello, address) {
      const { pool, token } = await permits.find(hello, address);
      const view = await poolOf(pool);
      if (!view) throw new HandshakeRejected('noPool', `pool not found: ${pool}; create it, or name another one`);
      const { hostname } = hello.capabilities;
      if (!namedBy(view.context.config.servers)({ name: hello.name, hostname, address })) {
        const names = [...new Set([hello.name, hostname])].join(', ');
        const sentence = `pool ${pool} takes only the servers it names, and none of ${names} and ${address} is one of them; add one to the servers of the pool`;
        throw new HandshakeRejected('notInPool', sentence);
      }
      if (token !== undefined) await permits.spend(token, address);
      const host = ids.uuid();
      await hostNames.enroll({ pool, name: hello.name, host, key: hello.publicKey }, async name => {
        await writeAgentKey(store, hello.publicKey, { host, name, pool });
        await enroll(hello.publicKey, { host, name, pool });
      });
      return host;
    },
  };
}

/**
 * Reads pools. All reads asked for in one tick share one that begins after it: the document holds a
 * thousand hosts, and a thousand may join at once.
 */
function createPoolReader({ views, clock }: Pick<JoiningParts, 'views' | 'clock'>): (pool: string) => Promise<View<'pool'> | undefined> {
  const reads = createSingleFlight<View<'pool'> | undefined>();
  return pool =>
    reads.join(pool, async () => {
      await new Promise<void>(resolve => clock.soon(resolve));
      reads.detach(pool);
      return views.get(`pool/${pool}`);
    });
}

/** Permits an unknown agent to join: by a join token, or from an address of this machine. */
function createPermits({
  auth,
  clock,
  readJoinToken,
  spendJoinToken,
}: Pick<JoiningParts, 'auth' | 'clock' | 'readJoinToken' | 'spendJoinToken'>) {
  const mayJoinFreely = (address: string) => auth === 'off' && isLoopbackAddress(address);
  const invalidToken = () => new HandshakeRejected('joinTokenInvalid', 'the join token is unknown, expired or used up; make a new one');

  return {
    /** The pool to join, and the token to spend for it. Throws HandshakeRejected. */
    async find({ joinToken, pool }: Hello, address: string): Promise<{ pool: string; token: string | undefined }> {
      const read = joinToken === undefined ? undefined : await readJoinToken(joinToken, clock.now());
      if (read && read.pool !== null && pool !== undefined && pool !== read.pool) {
        const sentence = `the join token is for pool ${read.pool}, but the agent names pool ${pool}; start it with --pool ${read.pool} or without --pool, or make a token for pool ${pool}`;
        throw new HandshakeRejected('wrongPool', sentence);
      }
      const named = pool ?? DEFAULT_POOL;
      if (read) return { pool: read.pool ?? named, token: joinToken };
      // An old token in the data directory must not lock out the local agent.
      if (mayJoinFreely(address)) return { pool: named, token: undefined };
      if (joinToken === undefined)
        throw new HandshakeRejected('unknownKey', 'this center does not know the key of this agent; give it a join token');
      throw invalidToken();
    },
    /** Follows all other checks: a refused agent keeps its token. Throws HandshakeRejected. */
    async spend(token: string, address: string): Promise<void> {
      if ((await spendJoinToken(token, clock.now())) || mayJoinFreely(address)) return;
      throw invalidToken();
    },
  };
}
