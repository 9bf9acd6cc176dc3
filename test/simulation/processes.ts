/**
 * The scripted processes of one host, visible to the keeper's port and the witness only. They
 * outlive the keeper that started them.
 */
import type {
  OutputSource,
  OutputStreamName,
  ProcessExit,
  ProcessTree,
  SignalResult,
  Spawner,
  StartedProcess,
} from '../../src/keeper/ports.ts';
import type { Random } from './random.ts';
import type { Behaviour, Script } from './script.ts';
import { scriptOf } from './script.ts';
import type { SimulatedSystem } from './system.ts';
import { never, type Program } from './time.ts';

/** One process that was started, and its outcome. */
export interface Process {
  run: string;
  job: string;
  host: string;
  boot: string;
  tag: string;
  cwd: string;
  script: Script;
  /** Simulated ms. */
  startedAt: number;
  endedAt: number | null;
  end: ProcessExit | null;
  /** The first TERM or KILL that reached it. */
  signalledAt: number | null;
  written: Record<OutputStreamName, string>;
  isChildAlive: boolean;
  /** It lost its power. */
  wasCut: boolean;
}

export interface Registry {
  readonly all: Process[];
  /** Called before the process counts as started. */
  onStart(process: Process): void;
}

export interface HostProcesses {
  spawnerFor(keeper: Program, boot: string): Spawner;
  /** All are gone, without an event. */
  cutPower(): void;
}

interface Running {
  process: Process;
  finish(end: ProcessExit): void;
  killTree(): void;
}

export function createHostProcesses(parts: {
  system: SimulatedSystem;
  host: string;
  random: Random;
  registry: Registry;
  behaviourOf(job: string): Behaviour;
}): HostProcesses {
  const { system, host, random, registry } = parts;
  const { time } = system;
  const running = new Map<string, Running>();
  let pids = 100;
  let tags = 0;

  const alive = (tree: ProcessTree): number => {
    const one = running.get(tree.tag);
    return one ? (one.process.end === null ? 1 : 0) + (one.process.isChildAlive ? 1 : 0) : 0;
  };

  function start(named: Pick<Process, 'run' | 'job' | 'tag' | 'cwd' | 'script'>, boot: string): StartedProcess {
    const { run, tag, script } = named;
    const process: Process = {
      ...{ ...named, host, boot, startedAt: time.elapsed, endedAt: null, end: null, signalledAt: null },
      ...{ written: { stdout: '', stderr: '' }, isChildAlive: script.childMs > 0, wasCut: false },
    };
    registry.onStart(process);
    registry.all.push(process);
    system.note('process', () => `${host} ${run} starts`);
    const pipes = { stdout: createPipe(), stderr: createPipe() };
    const exit = Promise.withResolvers<ProcessExit>();
    const finish = (end: ProcessExit) => {
      if (process.end !== null) return;
      process.end = end;
      process.endedAt = time.elapsed;
      system.note('process', () => `${host} ${run} ends ${end.signal ?? end.code}`);
      if (!process.isChildAlive) running.delete(tag);
      for (const pipe of [pipes.stdout, pipes.stderr]) pipe.end();
      exit.resolve(end);
    };
    const endChild = () => {
      process.isChildAlive = false;
      if (process.end !== null) running.delete(tag);
    };
    for (const { atMs, stream, text } of script.output) {
      time.after(atMs, () => {
        if (process.end !== null || running.get(tag)?.process !== process) return;
        process.written[stream] += text;
        pipes[stream].write(text);
      });
    }
    if (Number.isFinite(script.durationMs)) {
      time.after(script.durationMs, () => {
        if (running.has(tag)) finish({ code: script.exitCode, signal: null });
      });
    }
    if (script.childMs > 0) time.after(Math.min(script.durationMs, 1e9) + script.childMs, endChild);
    const killTree = () => {
      endChild();
      finish({ code: null, signal: 'SIGKILL' });
    };
    running.set(tag, { process, finish, killTree });
    return { tree: { tag, pid: ++pids, startTicks: pids }, stdout: pipes.stdout.source, stderr: pipes.stderr.source, exit: exit.promise };
  }

  function signal(tree: ProcessTree, which: 'TERM' | 'KILL'): SignalResult {
    const one = running.get(tree.tag);
    if (!one) return { alive: 0, firstHadExited: true };
    const { process, finish, killTree } = one;
    const found = { alive: alive(tree), firstHadExited: process.end !== null };
    process.signalledAt ??= time.elapsed;
    system.note('process', () => `${host} ${process.run} gets ${which}`);
    if (which === 'KILL') killTree();
    else if (process.script.termMs !== null) {
      const { termMs, termCode } = process.script;
      time.after(termMs, () => {
        process.isChildAlive = false;
        if (process.end !== null) running.delete(tree.tag);
        else if (running.has(tree.tag)) finish(termCode === null ? { code: null, signal: 'SIGTERM' } : { code: termCode, signal: null });
      });
    }
    return found;
  }

  return {
    spawnerFor(keeper, boot) {
      /** The kernel answers within a moment, if the keeper still runs. */
      const answer = <T>(ms: number, value: () => T): Promise<T> =>
        new Promise(resolve => {
          time.after(random.between(ms / 4, ms), () => {
            if (keeper.isAlive) resolve(value());
          });
        });
      return {
        bootId: boot,
        createTag: () => `${host}-${boot}-${++tags}`,
        start({ env, tag, cwd }): Promise<{ started: StartedProcess } | { failed: string }> {
          if (!keeper.isAlive) return never();
          const job = env.TROUPE_JOB ?? '';
          const run = `${env.TROUPE_EXECUTION}:${env.TROUPE_SHARD}:${env.TROUPE_ATTEMPT}`;
          const script = scriptOf(system.seed, parts.behaviourOf(job), run);
          if (script.cannotStart) return answer<{ failed: string }>(1, () => ({ failed: 'there is no such program' }));
          // It begins with the call: a keeper that dies before the answer leaves a process that
          // only its tag can find.
          const started = start({ run, job, tag, cwd, script }, boot);
          return answer<{ started: StartedProcess }>(2, () => ({ started }));
        },
        countAlive: tree => answer(0.2, () => alive(tree)),
        signal(tree, which) {
          if (!keeper.isAlive) return never();
          const found = signal(tree, which);
          return answer(0.2, () => found);
        },
        reapOrphans() {},
      };
    },
    cutPower() {
      for (const { process } of running.values()) {
        if (process.end === null) process.endedAt = time.elapsed;
        process.wasCut = true;
        process.isChildAlive = false;
        process.end ??= { code: null, signal: null };
      }
      running.clear();
    },
  };
}

const encoder = new TextEncoder();

/** One output stream: written bytes wait until they are read. */
function createPipe(): { source: OutputSource; write(text: string): void; end(): void } {
  const waiting: Uint8Array[] = [];
  let isOver = false;
  let reader: ((bytes: Uint8Array | null) => void) | undefined;
  const pass = () => {
    if (!reader) return;
    const bytes = waiting.shift() ?? (isOver ? null : undefined);
    if (bytes === undefined) return;
    const take = reader;
    reader = undefined;
    take(bytes);
  };
  const end = () => {
    isOver = true;
    pass();
  };
  return {
    source: {
      read: () =>
        new Promise(resolve => {
          reader = resolve;
          pass();
        }),
      cancel: end,
    },
    write(text) {
      waiting.push(encoder.encode(text));
      pass();
    },
    end,
  };
}
