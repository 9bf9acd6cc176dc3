/** Owners of output: only the host that a run was sent to may write its output. */
import { createBoundedSet } from '../lib/bounded-map.ts';
import { keyOfRun, type Run } from '../protocol/agent.ts';
import type { HubLog } from './limits.ts';
import type { AgentSession } from './session.ts';

/** Known runs of one session; beyond, the oldest is looked up in the store again. */
const RUNS_KNOWN = 1_000;
/** Known start commands of all hosts; beyond, the oldest is looked up in the store. */
const RUNS_SENT = 2_000;

export interface OutputOwners {
  /** Whether this run was sent to that host. Throws what `isRunOf` throws. */
  isOwn(output: { from: AgentSession; host: string; run: Run }): Promise<boolean>;
  /** Its execution has committed that this run goes to that host: saves one read of the store. */
  sent(host: string, run: Run): void;
}

export function createOutputOwners({ isRunOf, log }: { isRunOf(host: string, run: Run): Promise<boolean>; log: HubLog }): OutputOwners {
  /** Runs that a session may write. */
  const known = new WeakMap<AgentSession, Set<string>>();
  const sentTo = createBoundedSet<string>(RUNS_SENT);
  return {
    async isOwn({ from, host, run }) {
      const runs = known.get(from) ?? createBoundedSet<string>(RUNS_KNOWN);
      known.set(from, runs);
      const key = keyOfRun(run);
      if (runs.has(key)) return true;
      if (!sentTo.delete(`${host} ${key}`) && !(await isRunOf(host, run))) {
        log('warn', `host/${host} wrote output of a run that is not its own`, { security: true, run: key });
        return false;
      }
      runs.add(key);
      return true;
    },
    sent(host, run) {
      sentTo.add(`${host} ${keyOfRun(run)}`);
    },
  };
}
