/** The agent's composition root: settings, real ports, signals. */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type AgentConfig, readAgentConfig } from '../config/agent.ts';
import { AGENT_USAGE } from '../config/agent-settings.ts';
import { ConfigError } from '../config/center.ts';
import { readBootId } from '../lib/boot-id.ts';
import { systemClock } from '../lib/clock.ts';
import { createDialer } from '../lib/dialer.ts';
import { directoryId } from '../lib/directory-id.ts';
import { trimHeap } from '../lib/heap.ts';
import { systemIds } from '../lib/ids.ts';
import { assertJournalFormat } from '../lib/journal-head.ts';
import { createLog, type Log } from '../lib/log.ts';
import { visibleLines } from '../lib/visible.ts';
import { CENTER_FRAME_MAX } from '../protocol/agent.ts';
import { assertKeeperFormat, keeperDirectory } from '../protocol/keeper.ts';
import { createAgent } from './agent.ts';
import { createArtifacts } from './artifacts/artifacts.ts';
import { detectIsolation } from './artifacts/isolation.ts';
import { createJobDirectories } from './artifacts/job-directories.ts';
import { sharesMounts } from './artifacts/mounts.ts';
import { createDisk } from './host/disk.ts';
import { openIdentity } from './host/identity.ts';
import { lockDataDirectory } from './host/lock.ts';
import { detectTreeKill, hostDefaults, system } from './host/machine.ts';
import { programs } from './host/programs.ts';
import { openUsers } from './host/users.ts';
import { createWorkDirs } from './host/work-dirs.ts';
import { JOURNAL } from './journal.ts';
import { AGENT_JOURNAL } from './journal-lines.ts';
import { createKeeperConnector, type KeeperConnection } from './keeper-socket.ts';

/** Raised with each behaviour of agents that a center may depend on. */
const AGENT_VERSION = '0.1.0';

export interface AgentSurroundings {
  env?: Record<string, string | undefined>;
  /** Ends the agent like SIGTERM does. */
  signal?: AbortSignal;
  /** Called after the settings are read, when their variables are no longer needed. */
  configured?: () => Promise<void>;
  /** File with the boot id, for tests of reboots; default: of the kernel. */
  bootIdFile?: string;
}

/**
 * Runs until SIGTERM or SIGINT; the keeper and its processes continue. Resolves with the exit code:
 * 0 stopped, 1 failed, 2 wrong settings, 3 permanently refused.
 */
export async function agentMain(args: readonly string[], around: AgentSurroundings = {}): Promise<number> {
  const { env = process.env } = around;
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(AGENT_USAGE);
    return 0;
  }
  let config: AgentConfig;
  try {
    config = readAgentConfig({ args, env, host: hostDefaults() });
  } catch (problem) {
    if (!(problem instanceof ConfigError)) throw problem;
    process.stderr.write(`troupe: ${visibleLines(problem.message)}\n`);
    return 2;
  }
  await around.configured?.();
  trimHeap(systemClock);
  const log = createLog(systemClock, config.log, line => process.stderr.write(line));
  const stop = new AbortController();
  const ask = () => stop.abort();
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const signal of signals) process.on(signal, ask);
  around.signal?.addEventListener('abort', ask, { once: true });
  if (around.signal?.aborted) ask();
  try {
    const how = await runAgent(config, { log, env, signal: stop.signal, bootIdFile: around.bootIdFile });
    if (how === 'refused') {
      log.error('the agent ends: every center refused it for good', { centers: config.centers });
      return 3;
    }
    log.info('the agent has stopped, its runs go on');
    return 0;
  } catch (problem) {
    if (problem instanceof ConfigError) {
      process.stderr.write(`troupe: ${problem.message}\n`);
      return 2;
    }
    log.error('the agent cannot run', { problem: problem instanceof Error ? problem.message : String(problem) });
    return 1;
  } finally {
    for (const signal of signals) process.off(signal, ask);
    around.signal?.removeEventListener('abort', ask);
  }
}

interface Running {
  log: Log;
  env: Record<string, string | undefined>;
  signal: AbortSignal;
  bootIdFile: string | undefined;
}

async function runAgent(config: AgentConfig, { log, env, signal, bootIdFile }: Running): Promise<'stopped' | 'refused'> {
  const data = resolve(config.dataDir);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const lock = lockDataDirectory(data);
  const clock = systemClock;
  const disk = createDisk(data);
  const connector = createKeeperConnector({ directory: data, clock });
  let keeper: KeeperConnection | undefined;
  try {
    // First: a directory of another revision must stay unchanged.
    assertJournalFormat(AGENT_JOURNAL, await disk.read(JOURNAL), `the agent's journal in "${data}"`);
    assertKeeperFormat(keeperDirectory(data));
    const identity = await openIdentity(disk, data);
    const { name, pool, cpus, memoryMB, labels, centers, joinToken, centerKey } = config;
    const apps = join(data, 'artifacts');
    const method = await detectIsolation(apps, config.appIsolation);
    const users = openUsers({ runAs: config.runAs, allowed: config.runAsAllowed }, data);
    const runAs = { user: users.byDefault?.name ?? null, allowed: users.allowed.map(user => user.name) };
    log.info('the agent starts', { name, pool, centers, data, appIsolation: method.isolation, runAs: runAs.user });
    const agent = createAgent({
      clock,
      ids: systemIds,
      disk,
      dialer: createDialer(clock, CENTER_FRAME_MAX),
      keepers: {
        async connect() {
          keeper = await connector.connect();
          return keeper;
        },
      },
      artifacts: createArtifacts({
        directory: apps,
        allowHosts: config.artifactHosts,
        clock,
        method: { ...method, mayMount: () => sharesMounts(keeper?.pid) },
      }),
      jobDirectories: createJobDirectories({
        directory: join(data, 'jobs'),
        ...{ clock, log, bytesMax: config.jobDirectoriesMaxBytes, unusedMs: config.keepJobDirectoriesMs },
      }),
      workDirs: createWorkDirs(join(data, 'work')),
      programs,
      identity,
      log,
      settings: {
        centers,
        ...(joinToken === undefined ? {} : { joinToken }),
        ...(centerKey === undefined ? {} : { centerKey }),
        name,
        pool,
        capabilities: {
          ...system(),
          cpus,
          memoryMB,
          labels,
          agentVersion: AGENT_VERSION,
          treeKill: await detectTreeKill(),
          appIsolation: method.isolation,
          runAs,
        },
        bootId: readBootId(bootIdFile),
        dataDirId: directoryId(data),
        hostEnv: env,
        users,
      },
    });
    return await agent.run(signal);
  } finally {
    keeper?.close();
    await disk.close();
    lock.release();
  }
}

if (import.meta.main) process.exit(await agentMain(process.argv.slice(2)));
