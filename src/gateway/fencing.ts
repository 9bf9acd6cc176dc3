/**
 * One agent per key. Of two processes with the same key the older one goes on: the journal of the
 * newer one may be a copy, and commands that the older one has received could run twice.
 */
import type { Hello } from '../protocol/agent.ts';
import { HandshakeRejected } from './handshake-rejected.ts';
import { dataDirOf, type HostRecord, isOtherDataDir } from './host-record.ts';
import type { HubLimits, HubLog } from './limits.ts';
import type { AgentSession } from './session.ts';

/**
 * Ends the older session of the host before a newer one begins. Throws HandshakeRejected where the
 * older agent lives, or the newer one has another data directory: an agent that does not answer may
 * only sleep.
 */
export async function fenceOlder(
  record: HostRecord,
  session: AgentSession,
  hello: Hello,
  { limits, log, onEnded }: { limits: HubLimits; log: HubLog; onEnded(): void },
): Promise<void> {
  const older = record.session;
  if (!older) return;
  const isSameAgent = hello.instanceId !== undefined && hello.instanceId === record.instanceId;
  const mayBeTwo = hello.instanceId !== undefined && record.instanceId !== undefined && !isSameAgent;
  const isAlive = mayBeTwo && (await older.isResponsive(limits.answerMs));
  if (record.session !== older) return;
  const fields = { security: true as const, host: record.host, older: older.peer.address, newer: session.peer.address };
  if (isAlive || isOtherDataDir(record.dataDir, dataDirOf(hello))) {
    log('warn', `host/${record.host} is served by a living agent, another one with the same key is refused`, {
      ...fields,
      session: older.id,
    });
    throw new HandshakeRejected(
      'identityInUse',
      `another agent with the same key is alive at ${older.peer.address}; stop one of them, or give this one a data directory of its own`,
    );
  }
  record.session = undefined;
  onEnded();
  if (!isSameAgent) {
    log('warn', `host/${record.host} has a newer session, the older one is closed`, { ...fields, session: older.id });
    log('warn', `host/${record.host} has a session that took the place of another`, { ...fields, session: session.id });
  }
  older.refuse('identityInUse', 'another agent with the same key connected after this one; only one may serve', 4003);
  record.commands.abandon('a newer session took its place');
}

/**
 * The agent of the last session may have received commands, and its keeper may run them, although
 * its process ended. The same data directory knows them. A copy of it does not, and would get them
 * again: it waits until the host is lost. Throws HandshakeRejected.
 */
export function refuseCopy(record: HostRecord, hello: Hello, graceMs: number): void {
  if (!isOtherDataDir(record.lastServed?.dataDir, dataDirOf(hello))) return;
  throw new HandshakeRejected(
    'identityInUse',
    `an agent with the same key served from another data directory until a moment ago; a copy of it may serve ${graceMs} ms later`,
  );
}
