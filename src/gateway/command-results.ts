/** Results of commands that agents send: `commandsAcknowledged` and `rejected`. */
import type { StartFault } from '../../actors/host/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Command } from '../protocol/agent.ts';
import { NoSuchActor } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { WorkFrame } from './decode.ts';
import type { HostSessions } from './host-sessions.ts';
import type { HubLog } from './limits.ts';
import type { Undelivered } from './undelivered.ts';

type AcknowledgedFrame = Extract<WorkFrame, { type: 'commandsAcknowledged' }>;
type RejectedFrame = Extract<WorkFrame, { type: 'rejected' }>;

export interface CommandResults {
  acknowledged(host: string, frame: AcknowledgedFrame): void;
  rejected(host: string, frame: RejectedFrame): void;
}

export function createCommandResults(parts: {
  runtime: Pick<Runtime, 'tell'>;
  hostSessions: Pick<HostSessions, 'command' | 'acknowledge'>;
  undelivered: Pick<Undelivered, 'take'>;
  clock: Pick<Clock, 'now'>;
  log: HubLog;
}): CommandResults {
  const { runtime, hostSessions, clock, log } = parts;

  /** Commits the loss of a run. Throws what the runtime throws, but not for a deleted execution. */
  const reportLost = async (
    host: string,
    { execution, item, attempt }: Command['run'],
    why: { reason: string; hostFault?: StartFault },
  ) => {
    const nothing = { exitCode: null, signal: null, startedAt: null, output: null };
    const event = { type: 'shard.ended', item, attempt, host, outcome: 'lost', finishedAt: clock.now(), ...why, ...nothing } as const;
    await runtime.tell(`execution/${execution}`, event).catch((problem: unknown) => {
      if (!(problem instanceof NoSuchActor)) throw problem;
    });
  };

  /**
   * An agent that has served a newer center rejects every command of this one: its data, or ours,
   * is a copy. So the shard is lost at once. Where the event cannot be committed, the command stays
   * pending and is rejected again. A command that does not wait for its answer is an old frame that
   * arrived once more; its run may be alive.
   */
  const rejectedByEpoch = async (host: string, { key, run, known }: RejectedFrame) => {
    if (!hostSessions.command(host, key)) return;
    const reason = 'its agent has served a newer center and rejects the commands of this one';
    // A run that the agent does not know has not started there: another host may start it at once.
    const hostFault = known === false ? ({ hostFault: 'epoch' } as const) : {};
    try {
      await reportLost(host, run, { reason, ...hostFault });
      hostSessions.acknowledge(host, key);
    } catch (problem) {
      log('warn', `execution/${run.execution} cannot commit that its command was rejected`, { host, problem });
    }
  };

  return {
    acknowledged(host, { keys }) {
      for (const key of keys) hostSessions.acknowledge(host, key);
    },
    rejected(host, frame) {
      const { key, reason } = frame;
      log('warn', `host/${host} refused a command: ${reason}`, { key });
      if (reason === 'lowerEpoch') return void rejectedByEpoch(host, frame);
      if (reason !== 'unreadable' && reason !== 'failed') return hostSessions.acknowledge(host, key);
      const command = hostSessions.command(host, key);
      if (command) parts.undelivered.take(host, command, { because: reason, message: frame.message ?? 'no reason given' });
    },
  };
}
