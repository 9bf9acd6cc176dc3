/** The handle of a process full of paper agents. */
import { join } from 'node:path';
import { until } from '../support/cluster.ts';
import type { AgentReport, AgentRequest } from './simulated-agents.ts';

export interface SimulatedFleet {
  /** All of them dial at once. */
  dial(): void;
  /** All sockets end at once, without a close frame. */
  drop(): void;
  up(): Promise<number>;
  /** Why sockets have ended so far that were not dropped here, and how often. */
  refused(): Promise<Record<string, number>>;
  /** Resolves when every agent has its welcome. */
  allUp(ms?: number): Promise<void>;
  /** Starts that arrived since the last time this was asked. */
  starts(): Promise<{ execution: string; arrived: number }[]>;
  /** All of them fetch this file of the center at once, into files of `directory`. */
  fetchFile(sha256: string, directory: string): Promise<{ bytes: number; ms: number }>;
  close(): Promise<void>;
}

/** Resolves once the process has made its keys. Pools get agents in turn. */
export async function aSimulatedFleet({
  url,
  count,
  pools = ['default'],
  prefix = 'paper',
}: {
  url: string;
  count: number;
  pools?: string[];
  prefix?: string;
}): Promise<SimulatedFleet> {
  let answer: (word: AgentReport) => void = () => {};
  const next = () => new Promise<AgentReport>(resolve => (answer = resolve));
  const first = next();
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, 'simulated-agents.ts'), url.replace('http', 'ws'), prefix, String(count), pools.join(',')],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      ipc: message => answer(message as AgentReport),
    },
  );
  await first;
  const ask = async (order: AgentRequest) => {
    const answered = next();
    child.send(order);
    return answered;
  };
  const counted = async () => {
    const word = await ask({ do: 'count' });
    return 'counted' in word ? word.counted : { up: 0, refused: {} };
  };
  return {
    dial: () => child.send({ do: 'dial' } satisfies AgentRequest),
    drop: () => child.send({ do: 'drop' } satisfies AgentRequest),
    up: async () => (await counted()).up,
    refused: async () => (await counted()).refused,
    allUp: ms => until(`${count} paper agents are up`, async () => (await counted()).up === count, ms),
    async starts() {
      const word = await ask({ do: 'starts' });
      return 'starts' in word ? word.starts : [];
    },
    async fetchFile(sha256, directory) {
      const word = await ask({ do: 'fetch', sha256, directory });
      if ('fetched' in word) return word.fetched;
      throw new Error(`the agents cannot fetch: ${'failed' in word ? word.failed : 'another answer came'}`);
    },
    async close() {
      child.disconnect();
      await child.exited;
    },
  };
}
