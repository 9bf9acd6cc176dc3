/**
 * Builders for the keeper's tests: orders, a real keeper in a directory of its own, and ways to
 * wait for facts instead of for time.
 */
import { setDefaultTimeout } from 'bun:test';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createKeeperConnector, type KeeperConnection } from '../../src/agent/keeper-socket.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { KeeperEvent, RunStatus, SpooledChunk, StartRequest } from '../../src/protocol/keeper.ts';
import { tempDir } from '../support/temp-dir.ts';

setDefaultTimeout(70_000);

export const aStartRequest = (run: string, argv: string[], difference: Partial<StartRequest> = {}): StartRequest => ({
  run,
  argv,
  cwd: '/',
  env: { PATH: '/usr/bin:/bin' },
  timeoutMs: 0,
  killGraceMs: 2_000,
  headBytes: 64 * 1024,
  tailBytes: 64 * 1024,
  ...difference,
});

export const aShell = (run: string, script: string, difference: Partial<StartRequest> = {}) =>
  aStartRequest(run, ['sh', '-c', script], difference);

export interface KeeperSystem {
  directory: string;
  keeper: KeeperConnection;
  /** Resolves with the run's state once it fulfils the question; asks at each event. */
  until(run: string, question: (status: RunStatus) => boolean): Promise<RunStatus>;
  ended(run: string): Promise<RunStatus>;
  output(run: string): Promise<SpooledChunk[]>;
  /** Resolves once the run has written this. */
  prints(run: string, words: string): Promise<string>;
  /** Closes the connection and connects again. */
  reopen(): Promise<void>;
  /** The keeper dies without a frame. */
  killKeeper(): Promise<void>;
  leave(): Promise<void>;
}

export async function aKeeperSystem(directory = tempDir('keeper'), command?: string[]): Promise<KeeperSystem> {
  const connector = createKeeperConnector({ directory, clock: systemClock, ...(command && { command }) });
  let listeners = new Set<() => void>();
  let keeper = await enter();

  async function enter(): Promise<KeeperConnection> {
    const opened = await connector.connect();
    opened.onEvent((_: KeeperEvent) => {
      for (const listener of listeners) listener();
    });
    return opened;
  }

  async function when<T>(look: () => Promise<T | undefined>): Promise<T> {
    let received = true;
    let wake = () => {};
    const listener = () => {
      received = true;
      wake();
    };
    listeners.add(listener);
    for (;;) {
      received = false;
      const found = await look();
      if (found !== undefined) {
        listeners.delete(listener);
        return found;
      }
      if (!received)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
    }
  }

  const output = async (run: string): Promise<SpooledChunk[]> => {
    const chunks: SpooledChunk[] = [];
    for (;;) {
      const more = await keeper.read(run, chunks.at(-1)?.seq ?? 0, 64 * 1024);
      if (more.length === 0) return chunks;
      chunks.push(...more);
    }
  };
  const until: KeeperSystem['until'] = (run, question) =>
    when(async () => (await keeper.list()).find(status => status.run === run && question(status)));
  return {
    directory,
    get keeper() {
      return keeper;
    },
    until,
    ended: run => until(run, status => status.state === 'ended'),
    output,
    prints: (run, words) =>
      when(async () => {
        const text = textOf(await output(run), 'stdout');
        return text.includes(words) ? text : undefined;
      }),
    async reopen() {
      keeper.close();
      await keeper.lost;
      keeper = await enter();
    },
    async killKeeper() {
      process.kill(keeper.pid, 'SIGKILL');
      await keeper.lost;
    },
    async leave() {
      listeners = new Set();
      if (existsSync(`/proc/${keeper.pid}`)) process.kill(keeper.pid, 'SIGTERM');
      await keeper.lost;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export const textOf = (chunks: SpooledChunk[], stream: 'stdout' | 'stderr') =>
  chunks
    .filter(chunk => chunk.stream === stream)
    .map(({ text }) => text)
    .join('');

/** Bytes received plus bytes reported as missing, per stream. */
export function accounted(chunks: SpooledChunk[]): { stdout: number; stderr: number } {
  const sums = { stdout: 0, stderr: 0 };
  for (const { stream, bytes, leftOut } of withGaps(chunks)) sums[stream] += bytes + leftOut;
  return sums;
}

/**
 * Each piece with the bytes of its stream that are missing before it, for a reader of these pieces
 * who had `ends` before. Throws where bytes come twice.
 */
export function withGaps<T extends Pick<SpooledChunk, 'stream' | 'bytes' | 'start'>>(
  chunks: T[],
  ends = { stdout: 0, stderr: 0 },
): (T & { leftOut: number })[] {
  return chunks.map(chunk => {
    const leftOut = chunk.start - ends[chunk.stream];
    if (leftOut < 0) throw new Error(`${-leftOut} bytes of ${chunk.stream} come twice`);
    ends[chunk.stream] = chunk.start + chunk.bytes;
    return { ...chunk, leftOut };
  });
}

/**
 * Command lines of the running processes that hold this text: the rest of a run whose command has a
 * unique number.
 */
export function alive(text: string): string[] {
  return readdirSync('/proc').flatMap(pid => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return command.includes(text) ? [`${pid} ${command}`] : [];
    } catch {
      return [];
    }
  });
}

/** Children of a process that have ended and are not reaped. */
export function zombiesOf(pid: number): string[] {
  return readdirSync('/proc').filter(name => {
    try {
      const [state, parent] = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
      return state === 'Z' && parent === String(pid);
    } catch {
      return false;
    }
  });
}

/** A number of seconds to sleep that no other process on the machine sleeps. */
let nextSleep = 0;
export const aSleep = () => `sleep ${process.pid}${String(1000 + nextSleep++)}`;
