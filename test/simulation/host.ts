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
import { hashOf, idsOf } from './dice.ts';
import { createSimulatedDisk } from './disk.ts';
import type { CrashPoint } from './faults.ts';
import type { Network } from './network.ts';
import { createHostProcesses, type Registry } from './processes.ts';
import type { Behaviour } from './script.ts';
import { beginLife, type Life, never } from './time.ts';
import type { World } from './world.ts';

/** Ended by something, at a simulated instant: what a verdict `lost` may be explained with. */
export interface Mishap {
  what: 'agent' | 'keeper' | 'power';
  at: number;
}

export interface SimulatedHost {
  readonly name: string;
  readonly mishaps: readonly Mishap[];
  startAgent(): void;
  /** kill -9; another agent starts `backMs` later. */
  killAgent(backMs: number): void;
  /** kill -9; the agent starts another one when it notices. */
  killKeeper(): void;
  /** The power goes, and comes back `backMs` later with another boot id. */
  cutPower(backMs: number): void;
  /** The keeper keeps no run. */
  readonly isIdle: boolean;
}

export interface HostParts {
  world: World;
  name: string;
  network: Network;
  registry: Registry;
  behaviourOf(job: string): Behaviour;
  /** Calls of the agent to its disk and its keeper. */
  point: CrashPoint;
}

interface LivingKeeper {
  life: Life;
  core: KeeperCore;
  notices: NoticeSender;
}

export function createSimulatedHost(parts: HostParts): SimulatedHost {
  const { world, name, network, point } = parts;
  const { time } = world;
  const dice = world.dice(`host ${name}`);
  const disk = createSimulatedDisk(world, dice);
  const spool = createMemorySpool();
  const processes = createHostProcesses({ world, host: name, dice, registry: parts.registry, behaviourOf: parts.behaviourOf });
  const ids = idsOf(dice);
  const mishaps: Mishap[] = [];
  let boots = 1;
  let agent: Life | undefined;
  let keeper: LivingKeeper | undefined;

  const boot = () => `boot-${boots}`;
  const publicKey = Buffer.alloc(32, hashOf(name).toString(36)).toString('base64url');

  function startKeeper(): LivingKeeper {
    const life = beginLife(`keeper ${name}`);
    const core = createKeeperCore({ clock: time.clockOf(life), spawner: processes.spawnerFor(life, boot()), spool });
    world.note('keeper', () => `${name} starts`);
    const notices = createNoticeSender({ clock: time.clockOf(life), dialer: network.dialer(name, life, 'keeper') });
    keeper = { life, core, notices };
    return keeper;
  }

  /**
   * The agent's end of the line to the keeper: each question takes a moment, and fails when the
   * keeper is lost.
   */
  function connectorFor(mine: Life): KeeperConnector {
    const moment = () => new Promise<void>(resolve => time.after(dice.between(0.05, 0.4), resolve));
    const connectTo = ({ life, core, notices }: LivingKeeper): Keeper => {
      const connection = {};
      mine.onEnd(() => life.isAlive && time.after(0.1, () => life.isAlive && notices.disconnected(connection)));
      const lost = new Promise<void>(resolve => life.onEnd(() => mine.isAlive && resolve()));
      const ask = async <T>(what: string, question: () => Promise<T>): Promise<T> => {
        const index = mine.isAlive ? point.before(`keeper.${what}`) : 0;
        if (index === 0) return never();
        await moment();
        if (!mine.isAlive) return never();
        if (!life.isAlive) throw new KeeperLostError();
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
          if (mine.isAlive) core.onEvent(event => mine.isAlive && life.isAlive && listener(event));
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
        return connectTo(keeper?.life.isAlive ? keeper : startKeeper());
      },
    };
  }

  const artifacts = (mine: Life): Artifacts => ({
    prepare: () =>
      new Promise((resolve, reject) => {
        const fails = dice.chance(0.03);
        time.after(dice.chance(0.05) ? dice.between(500, 6_000) : dice.between(0.1, 5), () => {
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
      world.note('agent', () => `${name} ${level} ${sentence} ${fields ? JSON.stringify(fields) : ''}`);
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  }

  function startAgent(): void {
    const life = beginLife(`agent ${name}`);
    agent = life;
    world.note('agent', () => `${name} starts, ${boot()}`);
    const running = createAgent({
      clock: time.clockOf(life),
      ids,
      disk: disk.portFor(life, point),
      dialer: network.dialer(name, life),
      keepers: connectorFor(life),
      artifacts: artifacts(life),
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
      if (life.isAlive) world.fail('agent', `the agent of ${name} gave up: ${problem instanceof Error ? problem.stack : String(problem)}`);
    });
  }

  /**
   * Whoever called for an end may be in the middle of a call of its own: the next agent comes later
   * in any case.
   */
  const again = (backMs: number) =>
    time.after(Math.max(1, backMs), () => {
      if (!agent?.isAlive) startAgent();
    });

  return {
    name,
    mishaps,
    startAgent,
    killAgent(backMs) {
      if (!agent?.isAlive) return;
      world.note('agent', () => `${name} is killed`);
      mishaps.push({ what: 'agent', at: time.elapsed });
      agent.end();
      again(backMs);
    },
    killKeeper() {
      if (!keeper?.life.isAlive) return;
      world.note('keeper', () => `${name} is killed`);
      mishaps.push({ what: 'keeper', at: time.elapsed });
      keeper.life.end();
    },
    cutPower(backMs) {
      world.note('host', () => `${name} loses its power`);
      mishaps.push({ what: 'power', at: time.elapsed });
      network.silence(name, backMs);
      agent?.end();
      keeper?.life.end();
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
