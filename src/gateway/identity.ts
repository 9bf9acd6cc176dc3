/**
 * Who an agent is: its key. A known key is a host; an unknown one becomes a new host when a join
 * token, or a center that trusts its own machine, lets it in. The record of the key is written
 * before the host is enrolled, so that an interrupted enrolment is finished by the next hello.
 */
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import { isLoopbackAddress } from '../lib/ip-ranges.ts';
import { createSingleFlight } from '../lib/single-flight.ts';
import { type Hello, helloText, PROTOCOL } from '../protocol/agent.ts';
import type { View } from '../runtime/document.ts';
import { Refused } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Views } from '../runtime/views.ts';
import { readAgentKey, writeAgentKey } from '../security/agent-keys.ts';
import type { CredentialStore } from '../store/port.ts';
import { createHostNames } from './host-names.ts';

const HOST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** An Ed25519 public key, bytes. */
const KEY_BYTES = 32;

/** The handshake of this agent fails. `code` is sent to it; agents treat some codes as final. */
export class HandshakeRejected extends Error {
  readonly code:
    | 'protocol'
    | 'invalid'
    | 'signature'
    | 'unknownKey'
    | 'joinTokenInvalid'
    | 'noPool'
    | 'notInPool'
    | 'retired'
    | 'identityInUse';
  constructor(code: HandshakeRejected['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface IdentityParts {
  runtime: Pick<Runtime, 'ask'>;
  views: Pick<Views, 'get' | 'list'>;
  store: Pick<CredentialStore, 'credential' | 'putCredential'>;
  clock: Clock;
  ids: Ids;
  hostGraceMs: number;
  /**
   * Whether `signature` (base64url) over the UTF-8 bytes of `text` was made with the private half
   * of `publicKey` (raw 32 bytes, base64url).
   */
  verify(publicKey: string, text: string, signature: string): boolean | Promise<boolean>;
  /** Whom a join token is for; undefined when it cannot be spent at `now` (epoch ms). */
  readJoinToken(token: string, now: number): Promise<{ pool: string | null } | undefined>;
  /** Takes one use of a join token; undefined: none left, expired at `now` or unknown. */
  spendJoinToken(token: string, now: number): Promise<{ pool: string | null } | undefined>;
  auth: 'on' | 'off';
}

export interface Identities {
  /** Checks what can be checked without the store. Throws HandshakeRejected. */
  prove(hello: Hello, nonce: string): Promise<void>;
  /**
   * The host's id, enrolled if need be. Throws HandshakeRejected and errors of store and runtime.
   */
  hostOf(hello: Hello, address: string): Promise<string>;
}

export function createIdentities(parts: IdentityParts): Identities {
  const { runtime, views, store, clock, ids } = parts;

  const hostNames = createHostNames(views);
  const looks = createSingleFlight<View<'pool'> | undefined>();
  /**
   * Those who ask at one moment share the look that comes after it: the document holds a thousand
   * hosts, and a thousand may join at once.
   */
  const poolOf = (pool: string): Promise<View<'pool'> | undefined> =>
    looks.join(pool, async () => {
      await new Promise<void>(resolve => clock.soon(resolve));
      looks.detach(pool);
      return views.get(`pool/${pool}`);
    });

  const mayJoinFreely = (address: string) => parts.auth === 'off' && isLoopbackAddress(address);

  /** What lets it in, and where to; nothing is spent yet. */
  const wayIn = async (hello: Hello, address: string): Promise<{ pool: string; token: string | undefined }> => {
    const { joinToken } = hello;
    const read = joinToken === undefined ? undefined : await parts.readJoinToken(joinToken, clock.now());
    if (read) return { pool: read.pool ?? hello.pool, token: joinToken };
    // A token from an earlier life of the data directory must not keep the local agent out.
    if (mayJoinFreely(address)) return { pool: hello.pool, token: undefined };
    if (joinToken === undefined)
      throw new HandshakeRejected('unknownKey', 'this center does not know the key of this agent; give it a join token');
    throw new HandshakeRejected('joinTokenInvalid', 'the join token is unknown, expired or used up; make a new one');
  };

  /** Only for an agent that nothing else keeps out: a token spent on a mistake would be gone. */
  const spend = async (token: string, address: string) => {
    if ((await parts.spendJoinToken(token, clock.now())) || mayJoinFreely(address)) return;
    throw new HandshakeRejected('joinTokenInvalid', 'the join token is unknown, expired or used up; make a new one');
  };

  const enroll = async (host: string, name: string, pool: string, publicKey: string) => {
    try {
      await runtime.ask(`host/${host}`, { type: 'host.enroll', id: host, name, pool, publicKey, graceMs: parts.hostGraceMs });
    } catch (problem) {
      // Enrolled by an earlier hello whose answer was lost.
      if (!(problem instanceof Refused)) throw problem;
    }
  };

  const join = async (hello: Hello, address: string): Promise<string> => {
    const { pool, token } = await wayIn(hello, address);
    const view = await poolOf(pool);
    if (!view) throw new HandshakeRejected('noPool', `there is no pool ${pool}; create it, or name another one`);
    const { servers } = view.context.config;
    if (servers.length > 0 && ![hello.name, hello.capabilities.hostname, address].some(name => servers.includes(name))) {
      throw new HandshakeRejected(
        'notInPool',
        `pool ${pool} takes only the servers it names, and neither ${hello.name} nor ${address} is one of them`,
      );
    }
    if (token !== undefined) await spend(token, address);
    const host = ids.uuid();
    await hostNames.enroll({ pool, name: hello.name, host, key: hello.publicKey }, async name => {
      await writeAgentKey(store, hello.publicKey, { host, name, pool });
      await enroll(host, name, pool, hello.publicKey);
    });
    return host;
  };

  return {
    async prove(hello, nonce) {
      if (hello.protocol !== PROTOCOL) {
        throw new HandshakeRejected(
          'protocol',
          `this center speaks protocol ${PROTOCOL}, the agent ${hello.protocol}; install the same release on both`,
        );
      }
      if (!HOST_NAME.test(hello.name)) {
        throw new HandshakeRejected(
          'invalid',
          `"${hello.name}" is no host name: letters, digits, ".", "_" and "-", at most 100, the first a letter or digit`,
        );
      }
      const key = Buffer.from(hello.publicKey, 'base64url');
      // Only one way to write a key, or one agent could be several hosts.
      if (key.length !== KEY_BYTES || key.toString('base64url') !== hello.publicKey) {
        throw new HandshakeRejected('invalid', `the public key is not ${KEY_BYTES} bytes in base64url`);
      }
      if (!(await parts.verify(hello.publicKey, helloText(nonce), hello.signature))) {
        throw new HandshakeRejected('signature', 'the signature does not fit the key and the challenge of this session');
      }
    },

    async hostOf(hello, address) {
      const known = await readAgentKey(store, hello.publicKey);
      if (!known) return join(hello, address);
      const { host, name, pool } = known;
      const view = await views.get(`host/${host}`);
      // Read anew where the host is not there: the record says so before a retired host is deleted.
      const isRetired = view ? view.value === 'retired' : (await readAgentKey(store, hello.publicKey))?.retired === true;
      if (isRetired) throw new HandshakeRejected('retired', `host ${name} was retired; its key never serves again`);
      if (!view) await enroll(host, name, pool, hello.publicKey);
      return host;
    },
  };
}
