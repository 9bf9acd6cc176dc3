/**
 * One machine: the production agent and the production keeper core on simulated ports, and what can
 * happen to them.
 */
import { createAgent } from '../../src/agent/agent.ts';
import { ArtifactError, type Artifacts, type KeeperConnector } from '../../src/agent/ports.ts';
import { createNoticeSender, type NoticeSender } from '../../src/keeper/alive-notice.ts';
import { createKeeperCore, type KeeperCore } from '../../src/keeper/core.ts';
import { createMemorySpool } from '../../src/keeper/memory-spool.ts';
import type { Log } from '../../src/lib/log.ts';
import { type Keeper, KeeperLostError } from '../../src/protocol/keeper.ts';
import { createSimulatedDisk } from './disk.ts';
import type { CrashPoint } from './faults.ts';
import type { HostDirectories } from './job-files.ts';
import type { Network } from './network.ts';
import { createHostProcesses, type Registry } from './processes.ts';
import { hashOf, idsOf } from './random.ts';
import type { Behaviour } from './script.ts';
import type { SimulatedSystem } from './system.ts';
import { never, type Program, startProgram } from './time.ts';

/** Ended by something, at a simulated instant: what a verdict `lost` may be explained with. */
export interface Crash {
  what: 'agent' | 'keeper' | 'power';
  at: number;
}

export interface SimulatedHost {
  readonly name: string;
  readonly crashes: readonly Crash[];
  startAgent(): void;
  /** kill -9; another agent starts `backMs` later. */
  killAgent(backMs: number): void;
  /** kill -9; the agent starts another one when it detects the end. */
  killKeeper(): void;
  /** The power goes, and comes back `backMs` later with another boot id. */
  cutPower(backMs: number): void;
  /** The keeper keeps no run. */
  readonly isIdle: boolean;
}

export interface HostParts {
  system: SimulatedSystem;
  name: string;
  network: Network;
  registry: Registry;
  behaviourOf(job: string): Behaviour;
  /** Of jobs, on its disk. */
  directories: HostDirectories;
  /** Calls of the agent to its disk and its keeper. */
  point: CrashPoint;
}

interface LivingKeeper {
  program: Program;
  core: KeeperCore;
  notices: NoticeSender;
}

export function createSimulatedHost(parts: HostParts): SimulatedHost {
  const { system, name, network, point, directories } = parts;
  const { time } = system;
  const random = system.random(`host ${name}`);
  const disk = createSimulatedDisk(system, random);
  const spool = createMemorySpool();
  const processes = createHostProcesses({ system, host: name, random, registry: parts.registry, behaviourOf: parts.behaviourOf });
  const ids = idsOf(random);
  const crashes: Crash[] = [];
  let boots = 1;
  let agent: Program | undefined;
  let keeper: LivingKeeper | undefined;

  const boot = () => `boot-${boots}`;
  const publicKey = Buffer.alloc(32, hashOf(name).toString(36)).toString('base64url');

  function startKeeper(): LivingKeeper {
    const program = startProgram(`keeper ${name}`);
    const core = createKeeperCore({ clock: time.clockOf(program), spawner: processes.spawnerFor(program, boot()), spool });
    system.note('keeper', () => `${name} starts`);
    const notices = createNoticeSender({ clock: time.clockOf(program), dialer: network.dialer(name, program, 'keeper') });
    keeper = { program, core, notices };
    return keeper;
  }

  /**
   * The agent's end of the line to the keeper: each question takes a moment, and fails when the
   * keeper is lost.
   */
  function connectorFor(mine: Program): KeeperConnector {
    const moment = () => new Promise<void>(resolve => time.after(random.between(0.05, 0.4), resolve));
    const connectTo = ({ program, core, notices }: LivingKeeper): Keeper => {
      const connection = {};
      mine.onEnd(() => program.isAlive && time.after(0.1, () => program.isAlive && notices.disconnected(connection)));
      const lost = new Promise<void>(resolve => program.onEnd(() => mine.isAlive && resolve()));
      const ask = async <T>(what: string, question: () => Promise<T>): Promise<T> => {
        const index = mine.isAlive ? point.before(`keeper.${what}`) : 0;
        if (index === 0) return never();
        await moment();
        if (!mine.isAlive) return never();
        if (!program.isAlive) throw new KeeperLostError();
        const answer = await Promise.race([question(), lost.then(() => Promise.reject(new KeeperLostError()))]);
        return mine.isAlive && point.after(index) ? answer : never();
      };
      return {
        start: request => ask('start', () => core.start(request)),
        stop: (run, graceMs) => ask('stop', () => core.stop(run, graceMs)),
        list: () => ask('list', () => core.list()),
        read: (run, afterSeq, maxBytes) => ask('read', () => core.read(run, afterSeq, maxBytes)),
        remove: run => ask('remove', () => core.remove(run)),
        registerNotice: notice => ask('registerNotice', async () => notices.register(connection, notice)),
        onEvent(listener) {
          if (mine.isAlive) core.onEvent(event => mine.isAlive && program.isAlive && listener(event));
        },
        lost,
      };
    };
    return {
      async connect() {
        const index = mine.isAlive ? point.before('keeper.connect') : 0;
        if (index === 0) return never();
        await moment();
        if (!mine.isAlive || !point.after(index)) return never();
        return connectTo(keeper?.program.isAlive ? keeper : startKeeper());
      },
    };
  }

  const artifacts = (mine: Program): Artifacts => ({
    prepare: () =>
      new Promise((resolve, reject) => {
        const fails = random.chance(0.03);
        time.after(random.chance(0.05) ? random.between(500, 6_000) : random.between(0.1, 5), () => {
          if (!mine.isAlive) return;
          if (fails) reject(new ArtifactError('unreachable', 'the app host does not answer', { transient: true }));
          else resolve({ directory: '/app', script: undefined, note: undefined });
        });
      }),
    release: async () => {},
    sweep: async () => {},
  });

  function logOf(): Log {
    const say = (level: string) => (sentence: string, fields?: object) =>
      system.note('agent', () => `${name} ${level} ${sentence} ${fields ? JSON.stringify(fields) : ''}`);
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  }

  function startAgent(): void {
    const program = startProgram(`agent ${name}`);
    agent = program;
    system.note('agent', () => `${name} starts, ${boot()}`);
    const running = createAgent({
      clock: time.clockOf(program),
      ids,
      disk: disk.portFor(program, point),
      dialer: network.dialer(name, program),
      keepers: connectorFor(program),
      artifacts: artifacts(program),
      jobDirectories: directories.portFor(program),
      workDirs: { make: async run => `/work/${run}`, remove: async () => {} },
      programs: {
        inApp: async () => undefined,
        onPath: async program => `/bin/${program}`,
        exists: async () => false,
        shell: async () => '/bin/sh',
      },
      identity: {
        publicKey,
        sign: text => signatureOf(publicKey, text),
        verify: (key, text, signature) => signature === signatureOf(key, text),
      },
      log: logOf(),
      settings: {
        centers: ['ws://center/v1/agents'],
        joinToken: 'join',
        name,
        pool: 'default',
        capabilities: {
          ...{ os: 'linux', arch: 'x64', cpus: 4, memoryMB: 4096, labels: {}, agentVersion: '0.1.0', hostname: name },
          treeKill: 'subreaper',
          appIsolation: 'copy',
          runAs: { user: null, allowed: [] },
        },
        bootId: boot(),
        hostEnv: { PATH: '/bin' },
        limits: { reserveBytes: 64 },
        spans: { redialCapMs: 4_000 },
      },
    }).run(new AbortController().signal);
    running.catch((problem: unknown) => {
      if (program.isAlive)
        system.fail('agent', `the agent of ${name} gave up: ${problem instanceof Error ? problem.stack : String(problem)}`);
    });
  }

  /**
   * The caller of an end may be in the middle of a call of its own, so the next agent always starts
   * later.
   */
  const again = (backMs: number) =>
    time.after(Math.max(1, backMs), () => {
      if (!agent?.isAlive) startAgent();
    });

  return {
    name,
    crashes,
    startAgent,
    killAgent(backMs) {
      if (!agent?.isAlive) return;
      system.note('agent', () => `${name} is killed`);
      crashes.push({ what: 'agent', at: time.elapsed });
      agent.end();
      again(backMs);
    },
    killKeeper() {
      if (!keeper?.program.isAlive) return;
      system.note('keeper', () => `${name} is killed`);
      crashes.push({ what: 'keeper', at: time.elapsed });
      keeper.program.end();
    },
    cutPower(backMs) {
      system.note('host', () => `${name} loses its power`);
      crashes.push({ what: 'power', at: time.elapsed });
      network.silence(name, backMs);
      agent?.end();
      keeper?.program.end();
      processes.cutPower();
      disk.cutPower();
      boots += 1;
      again(backMs);
    },
    get isIdle() {
      return !keeper?.core.busy();
    },
  };
}

/** Stands for the signature with the private key: what it is made of is all that must fit. */
export const signatureOf = (publicKey: string, text: string): string => `${hashOf(publicKey)}.${hashOf(text)}`;
