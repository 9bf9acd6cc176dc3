/** Record of one host in memory: its session, its commands, and the agent that serves it. */
import type { Clock } from '../lib/clock.ts';
import type { Hello } from '../protocol/agent.ts';
import { type CommandQueue, createCommandQueue } from './command-queue.ts';
import type { AgentSession } from './session.ts';

export interface HostRecord {
  host: string;
  commands: CommandQueue;
  session: AgentSession | undefined;
  /** The agent process of this session. */
  instanceId: string | undefined;
  /** The data directory of that agent, until its machine boots again; see `dataDirOf`. */
  dataDir: string | undefined;
  /** Data directory of the agent that served last, until its host and all its runs are lost. */
  lastServed: { dataDir: string | undefined } | undefined;
  /** The session that the host actor may take for the current one. */
  announced: AgentSession | undefined;
  /** Token of the keeper of the current or last session. */
  livenessToken: string | undefined;
}

export const createHostRecord = (host: string, commandsMax: number, clock: Pick<Clock, 'monotonic'>): HostRecord => ({
  host,
  commands: createCommandQueue(host, commandsMax, clock),
  session: undefined,
  instanceId: undefined,
  dataDir: undefined,
  lastServed: undefined,
  announced: undefined,
  livenessToken: undefined,
});

/** With the boot id: ids of directories are unique only until the machine boots again. */
export const dataDirOf = ({ dataDirId, bootId }: Hello): string | undefined =>
  dataDirId === undefined ? undefined : `${bootId} ${dataDirId}`;

/** False also where one is unknown, or the machine has booted in between. */
export const isOtherDataDir = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && other !== undefined && one !== other && one.split(' ')[0] === other.split(' ')[0];
