/**
 * One agent per key. Of two processes with the same key the older one keeps the host. The journal
 * of the newer one may be a copy, so commands of the older one could run twice.
 */
import type { Hello } from '../protocol/agent.ts';
import { HandshakeRejected } from './handshake-rejected.ts';
import { dataDirOf, type HostRecord, isOtherDataDir } from './host-record.ts';
import type { HubLimits, HubLog } from './limits.ts';
import type { AgentSession } from './session.ts';

/**
 * Ends the older session of the host before a newer one begins. Throws HandshakeRejected where the
 * older agent lives, or the newer one has another data directory: an agent that does not answer may
 * be suspended.
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
    log('warn', `host/${record.host} has a session that replaced another one`, { ...fields, session: session.id });
  }
  older.refuse('identityInUse', 'another agent with the same key connected after this one; stop one of them', 4003);
  record.commands.abandon('a newer session replaced it');
}

/**
 * The keeper of the last agent may run commands after the agent's end; their record is in its data
 * directory. A copy of that directory has no record and would receive them again. So it waits until
 * the host is lost. Throws HandshakeRejected.
 */
export function refuseCopy(record: HostRecord, hello: Hello, graceMs: number): void {
  if (!isOtherDataDir(record.lastServed?.dataDir, dataDirOf(hello))) return;
  throw new HandshakeRejected(
    'identityInUse',
    `an agent with the same key and another data directory served a moment ago; start that one, or wait until its grace of ${graceMs} ms is over`,
  );
}
