/**
 * The program on a host, over ports alone: the same code runs on a machine and in the simulation.
 * Calls go down, and events go up to this file, which routes them; no part knows one above it.
 *
 *   agent.ts      routes the events of link and keeper
 *   commands      disconnect watch      greeting
 *        \_______ runs ________________/
 *   preparation   transitions   resumption
 *        reports   output   cleanup
 *   journal       link ==> center       keeper client ==> keeper
 *
 * The journal is read first; link and keeper are then connected independently.
 */
import { type Clock, pause } from '../lib/clock.ts';
import type { Dialer } from '../lib/dialer.ts';
import type { Ids } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { keyOfRun } from '../protocol/agent.ts';
import { type Journal, openJournal } from './journal.ts';
import { createKeeperClient, type KeeperClient, type KeeperListener } from './keeper-client.ts';
import { type AgentLimits, type AgentSpans, agentLimits, agentSpans } from './limits.ts';
import { type CommandHandler, createCommandHandler } from './link/commands.ts';
import type { CenterFrame } from './link/frames.ts';
import { createGreeting, type Greeting, type GreetingSettings } from './link/greeting.ts';
import { createLink, type Link, type LinkListener } from './link/index.ts';
import { createTrust, type Trust } from './link/trust.ts';
import type { Artifacts, Disk, Identity, JobDirectories, KeeperConnector, Programs, WorkDirs } from './ports.ts';
import { createRunCleanup } from './runs/cleanup.ts';
import { createDisconnectWatch, type DisconnectWatch } from './runs/disconnect.ts';
import { inheritedEnvironment } from './runs/environment.ts';
import { createRuns, type Runs } from './runs/index.ts';
import { createOutputSender, type OutputSender } from './runs/output.ts';
import { mustEnd } from './runs/records.ts';
import { createReports, type Reports } from './runs/reports.ts';
import type { RunUsers } from './users.ts';

interface AgentSettings extends GreetingSettings {
  /** Addresses of the centers, at least one. */
  centers: string[];
  /** Fingerprint of the key of the one trusted installation; replaces the stored one. */
  centerKey?: string;
  /** The host's environment; runs inherit an allow-list of it. */
  hostEnv: Record<string, string | undefined>;
  /** Default: all runs belong to the agent's own user. */
  users?: RunUsers;
  limits?: Partial<AgentLimits>;
  spans?: Partial<AgentSpans>;
}

export interface AgentParts {
  clock: Clock;
  ids: Ids;
  disk: Disk;
  dialer: Dialer;
  keepers: KeeperConnector;
  artifacts: Artifacts;
  jobDirectories: JobDirectories;
  workDirs: WorkDirs;
  programs: Programs;
  identity: Identity;
  log: Log;
  settings: AgentSettings;
}

export interface Agent {
  /**
   * Resolves once the signal has aborted and the link is closed (`stopped`), or once every center
   * has permanently refused this agent (`refused`). Keeper and processes continue. Rejects when the
   * journal cannot be read. Once.
   */
  run(signal: AbortSignal): Promise<'stopped' | 'refused'>;
}

export function createAgent(parts: AgentParts): Agent {
  const { clock, disk, log, settings } = parts;
  const limits = { ...agentLimits, ...settings.limits };
  const spans = { ...agentSpans, ...settings.spans };
  return {
    async run(stopped) {
      const journal = await openJournal({ disk, limits, log, now: clock.now() });
      const over = new AbortController();
      const signal = AbortSignal.any([stopped, over.signal]);
      const built = build(parts, { limits, spans, journal, signal });
      const { link, keeperClient, reports, runs, output, watch } = built;
      reports.restore();
      runs.resume();
      watch.down();
      const linked = link.run(signal, routeLink(built, log)).then(how => {
        over.abort();
        return how;
      });
      const keeping = keeperClient.run(signal, routeKeeper(built, log));
      const [how] = await Promise.all([linked, keeping, sweep(parts, { spans, journal, output, signal })]);
      watch.up();
      runs.breakOff();
      await journal.flushed();
      return how;
    },
  };
}

interface Built {
  journal: Journal;
  link: Link;
  keeperClient: KeeperClient;
  reports: Reports;
  output: OutputSender;
  runs: Runs;
  commands: CommandHandler;
  watch: DisconnectWatch;
  greeting: Greeting;
  trust: Trust;
}

/** Builds the parts from below: each gets those that it calls. */
function build(parts: AgentParts, own: { limits: AgentLimits; spans: AgentSpans; journal: Journal; signal: AbortSignal }): Built {
  const { clock, ids, log, settings, identity } = parts;
  const { limits, spans, journal } = own;
  const { bootId, dataDirId, centerKey, joinToken, centers } = settings;
  const instanceId = ids.uuid();
  const link = createLink({ clock, ids, dialer: parts.dialer, log, spans, centers });
  const send: Link['send'] = frame => link.send(frame);
  const keeperClient = createKeeperClient({ clock, connector: parts.keepers, log, spans });
  const cleanup = createRunCleanup({ ...parts, journal, keeperClient });
  const reports = createReports({ journal, send });
  const output = createOutputSender({ clock, keeperClient, journal, cleanup, log, limits, spans, send, buffered: () => link.buffered() });
  const runs = createRuns({
    ...{ clock, log, ...own, bootId, dataDirId, keeperClient, reports, output, cleanup },
    ...{ artifacts: parts.artifacts, jobDirectories: parts.jobDirectories, workDirs: parts.workDirs, programs: parts.programs },
    inherited: inheritedEnvironment(settings.hostEnv),
    users: settings.users ?? { byDefault: undefined, allowed: [], own: undefined },
    appRules: () => link.appRules(),
    centerFiles: () => link.centerFiles(),
    diskTakes: () => diskTakes(parts.disk),
  });
  const commands = createCommandHandler({ clock, log, limits, bootId, dataDirId, journal, reports, runs, send });
  const watch = createDisconnectWatch({ clock, journal, runs, lastFrameAt: () => link.lastFrameAt() });
  const greeting = createGreeting({ journal, identity, instanceId, settings, runs });
  const trust = createTrust({ identity, journal, centerKey, joinToken });
  return { journal, link, keeperClient, reports, output, runs, commands, watch, greeting, trust };
}

function routeLink(built: Built, log: Log): LinkListener {
  const { journal, link, reports, output, runs, commands, watch, greeting, trust } = built;

  /** The center may lack ends and output that it has acknowledged; it ignores those that it has. */
  const resendAcknowledged = () => {
    for (const run of runs.acknowledgedEnds()) {
      const repeat = reports.repeat(keyOfRun(run));
      if (!repeat) continue;
      journal.note([repeat.change]);
      reports.add(repeat.report);
    }
    output.resendAll();
  };

  const endAll = (reason: string): number => {
    const live = [...journal.records].filter(([, { endedAt }]) => endedAt === null);
    for (const [run, record] of live) if (!mustEnd(record)) runs.end(run, 'superseded', reason);
    return live.length;
  };

  return {
    hello: challenge => greeting.hello(challenge),
    refusal: proof => trust.refusal(proof),
    up() {
      watch.up();
      registerNotice(built, log);
      runs.welcomed();
      trust.welcomed();
      const { isBehind } = greeting.welcomed();
      reports.resend();
      if (isBehind) resendAcknowledged();
      output.up();
    },
    down() {
      output.down();
      watch.down();
    },
    frame(frame: CenterFrame) {
      if (frame.type === 'reportsAcknowledged') for (const run of reports.acknowledged(frame.ids)) commands.reportAcknowledged(run);
      else if (frame.type === 'outputAcknowledged') output.acknowledged(frame.run, frame.through);
      else void commands.handle(frame).then(() => link.isUp() || watch.down());
    },
    refused(code) {
      const isHopeless = greeting.refused(code);
      return code === 'retired' ? endAll('its host was retired') === 0 : isHopeless;
    },
  };
}

function routeKeeper(built: Built, log: Log): KeeperListener {
  const { runs } = built;
  return {
    connected(statuses) {
      runs.keeperConnected(statuses);
      registerNotice(built, log);
    },
    event(event) {
      if (event.type === 'changed') runs.statusChanged(event.run);
      else runs.outputWritten(event.run, event.chunks);
    },
  };
}

function registerNotice({ link, keeperClient }: Built, log: Log): void {
  const notice = link.notice();
  if (!notice) return;
  keeperClient
    .call(keeper => keeper.registerNotice(notice))
    .catch(problem => log.debug('the keeper does not take the alive notice', { problem: String(problem) }));
}

/** Bytes that a full disk does not take. */
const PROBE_BYTES = 256 * 1024;
const PROBE = 'disk.probe';

const diskTakes = (disk: Disk): Promise<boolean> =>
  disk
    .replace(PROBE, '-'.repeat(PROBE_BYTES))
    .then(() => disk.remove(PROBE))
    .then(
      () => true,
      () => false,
    );

async function sweep(
  parts: AgentParts,
  own: { spans: AgentSpans; journal: Journal; output: OutputSender; signal: AbortSignal },
): Promise<void> {
  const { spans, journal, output, signal } = own;
  while (!signal.aborted) {
    await pause(parts.clock, spans.sweepMs, signal);
    if (signal.aborted) return;
    for (const warning of await journal.sweep(parts.clock.now())) parts.log.warn(warning);
    output.sweep();
    await parts.jobDirectories.sweep().catch(problem => {
      parts.log.warn('the sweep of the directories of jobs failed', { problem: String(problem) });
    });
  }
}
