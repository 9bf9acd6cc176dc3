/** Processes that only exist in a test: they print, fork and end as the test commands. */
import type { OutputSource, ProcessExit, Spawner, SpawnRequest } from '../../src/keeper/ports.ts';

interface FakeProcess {
  request: SpawnRequest;
  signals: string[];
  prints(stream: 'stdout' | 'stderr', text: string): void;
  /** Ends the first process; its pipes close unless something holds them. */
  ends(code: number | null, signal?: string | null): void;
  /** The same, but the end stays unreported until the result is called. */
  endsUnheard(code: number | null): () => void;
  /** Living members beside the first process. */
  children: number;
  /** Called at each signal to the tree; default: KILL ends everything, TERM the first process. */
  onSignal: (name: 'TERM' | 'KILL') => void;
  /** Something outside of the tree keeps the pipes open. */
  pipesHeld: boolean;
}

function aPipe(): OutputSource & { push(data: Uint8Array | null): void } {
  const waiting: (Uint8Array | null)[] = [];
  let taker: ((data: Uint8Array | null) => void) | undefined;
  let over = false;
  const push = (data: Uint8Array | null) => {
    if (taker === undefined) waiting.push(data);
    else taker(data);
    taker = undefined;
  };
  return {
    push,
    read: () =>
      new Promise(resolve => {
        const next = waiting.shift();
        if (over) resolve(null);
        else if (next !== undefined) resolve(next);
        else taker = resolve;
        over ||= next === null;
      }),
    cancel: () => push(null),
  };
}

export interface FakeHost extends Spawner {
  bootId: string;
  processes: FakeProcess[];
  /** The next start fails with this sentence. */
  refuses: string | undefined;
  of(run: number): FakeProcess;
}

export function aFakeHost(): FakeHost {
  let tags = 0;
  const byTag = new Map<string, FakeProcess & { alive: boolean }>();
  const count = (tag: string) => {
    const process = byTag.get(tag);
    return process === undefined ? 0 : Number(process.alive) + process.children;
  };
  const host: FakeHost = {
    bootId: 'boot',
    processes: [],
    refuses: undefined,
    of(run) {
      const process = host.processes[run];
      if (process === undefined) throw new Error(`only ${host.processes.length} processes were started`);
      return process;
    },
    createTag: () => `tag${++tags}`,
    async start(request) {
      if (host.refuses !== undefined) return { failed: host.refuses };
      const pipes = { stdout: aPipe(), stderr: aPipe() };
      let finish = (_: ProcessExit) => {};
      const exit = new Promise<ProcessExit>(resolve => {
        finish = resolve;
      });
      const process = {
        request,
        signals: [] as string[],
        alive: true,
        children: 0,
        pipesHeld: false,
        prints: (stream: 'stdout' | 'stderr', text: string) => pipes[stream].push(new TextEncoder().encode(text)),
        ends(code: number | null, signal: string | null = null) {
          process.alive = false;
          if (!process.pipesHeld) for (const pipe of [pipes.stdout, pipes.stderr]) pipe.push(null);
          finish({ code, signal });
        },
        endsUnheard(code: number | null) {
          process.alive = false;
          return () => process.ends(code);
        },
        onSignal(name: 'TERM' | 'KILL') {
          if (name === 'KILL') process.children = 0;
          if (process.alive) process.ends(null, `SIG${name}`);
        },
      };
      host.processes.push(process);
      byTag.set(request.tag, process);
      return { started: { tree: { tag: request.tag, pid: host.processes.length, startTicks: null }, ...pipes, exit } };
    },
    countAlive: async ({ tag }) => count(tag),
    async signal({ tag }, name) {
      const alive = count(tag);
      const process = byTag.get(tag);
      const firstHadExited = process !== undefined && !process.alive;
      if (alive > 0) process?.signals.push(name);
      if (alive > 0) process?.onSignal(name);
      return { alive, firstHadExited };
    },
    reapOrphans: () => {},
  };
  return host;
}
