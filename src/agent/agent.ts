/**
 * The program on a host, without the host: everything it touches is a port, so the same code runs
 * on a machine and in a simulation.
 *
 *   link ---commands---> commands --durable--> runs ---order---> keeper
 *     ^ ----------------- reports, output <------ news --------------/
 *
 * The journal is read first, then link and keeper are opened side by side: neither waits for the
 * other.
 */

import { type Clock, pause } from '../lib/clock.ts';
import type { Dialer } from '../lib/dialer.ts';
import { STRICT_RULES } from '../lib/host-policy.ts';
import type { Ids } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import {
  AGENT_FRAME_MAX,
  type Capabilities,
  EPOCHS_RAISED,
  type Hello,
  helloText,
  PROTOCOL,
  type Run,
  runKey,
  writeEpochs,
} from '../protocol/agent.ts';
import { type Journal, openJournal } from './journal.ts';
import { createKeeperClient, type KeeperClient } from './keeper-client.ts';
import { type AgentLimits, type AgentSpans, agentLimits, agentSpans } from './limits.ts';
import { createCommands } from './link/commands.ts';
import { type CenterFrame, type Challenge, createLink, type Link } from './link/index.ts';
import { createTrust } from './link/trust.ts';
import { createOutput, type Output } from './output.ts';
import type { Artifacts, Disk, Identity, KeeperConnector, Programs, WorkDirs } from './ports.ts';
import { createDisconnectWatch, type DisconnectWatch } from './runs/disconnect.ts';
import { inheritedEnvironment } from './runs/environment.ts';
import { createRuns, type Runs } from './runs/index.ts';
import { mustEnd } from './runs/records.ts';
import { createReports, type Reports } from './runs/reports.ts';
import type { RunUsers } from './users.ts';

interface AgentSettings {
  /** Addresses of the centers, tried in turn; at least one. */
  centers: string[];
  /** Sent until a center has welcomed this agent once, and again to one that does not know it. */
  joinToken?: string;
  /** Fingerprint of the key of the one installation to obey, where that is not the one it knows. */
  centerKey?: string;
  name: string;
  pool: string;
  capabilities: Capabilities;
  /** Changes when the machine starts anew. */
  bootId: string;
  /** Names the data directory on this boot; a copy has another. Absent: cannot be copied. */
  dataDirId?: string;
  /** The host's environment; runs get an allow-list of it. */
  hostEnv: Record<string, string | undefined>;
  /** Default: all runs are the agent's own user's. */
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
  workDirs: WorkDirs;
  programs: Programs;
  identity: Identity;
  log: Log;
  settings: AgentSettings;
}

export interface Agent {
  /**
   * Resolves once the signal has aborted and the link is closed (`stopped`), or once every center
   * has refused this agent for good (`refused`); keeper and processes go on. Rejects when the
   * journal cannot be understood. Once only.
   */
  run(signal: AbortSignal): Promise<'stopped' | 'refused'>;
}

/**
 * Refusals that stand for an agent which no center knows: its token is wrong, spent, expired or
 * missing. One that had joined may be known again.
 */
const NEVER_JOINS = new Set(['unknownKey', 'joinTokenInvalid']);

export function createAgent(parts: AgentParts): Agent {
  const { clock, disk, log, settings } = parts;
  const limits = { ...agentLimits, ...settings.limits };
  const spans = { ...agentSpans, ...settings.spans };
  return {
    async run(stopped) {
      const journal = await openJournal({ disk, limits, log, now: clock.now() });
      const over = new AbortController();
      const signal = AbortSignal.any([stopped, over.signal]);
      const { link, keeperClient, runs, output, watch } = wire(parts, { limits, spans, journal, signal });
      const linked = link.run(signal).then(how => {
        over.abort();
        return how;
      });
      const [how] = await Promise.all([linked, keeperClient.run(signal), sweep(parts, { spans, journal, output, signal })]);
      watch.up();
      runs.breakOff();
      await journal.flushed();
      return how;
    },
  };
}

interface Wired {
  link: Link;
  keeperClient: KeeperClient;
  runs: Runs;
  output: Output;
  watch: DisconnectWatch;
}

function wire(parts: AgentParts, own: { limits: AgentLimits; spans: AgentSpans; journal: Journal; signal: AbortSignal }): Wired {
  const { clock, log, settings } = parts;
  const { limits, spans, journal, signal } = own;
  const { bootId, dataDirId: place, users = { byDefault: undefined, allowed: [], own: undefined } } = settings;
  const life = parts.ids.uuid();
  const inherited = inheritedEnvironment(settings.hostEnv);
  let rules = STRICT_RULES;
  const { centerKey, joinToken } = settings;
  const trust = createTrust({ identity: parts.identity, journal, centerKey, joinToken });
  /** The center that was greeted last does not know the key of this agent. */
  let isUnknown = false;
  /** The center may hold an earlier state than the one that confirmed reports of this agent. */
  let isBehind = false;
  /** Center processes by instanceId: the one that accepted this agent last, the one it dials. */
  let lastCenter: string | undefined;
  let nextCenter: string | undefined;
  // Everybody here knows somebody who knows them: those that are made later are only called once
  // all are.
  const keeperClient = createKeeperClient({
    clock,
    connector: parts.keepers,
    log,
    spans,
    on: {
      connected(statuses) {
        runs.opened(statuses);
        entrust();
      },
      event: event => (event.type === 'changed' ? runs.heard(event.run) : runs.news(event.run, event.chunks)),
    },
  });
  const link = createLink({
    clock,
    ids: parts.ids,
    dialer: parts.dialer,
    log,
    spans,
    centers: settings.centers,
    refusal: proof => trust.refusal(proof),
    hello(challenge) {
      const greeting = hello(parts, journal, runs, { nonce: challenge.nonce, life, isUnknown });
      isBehind = mayHaveLost(challenge, journal, lastCenter);
      nextCenter = challenge.instanceId;
      return isBehind ? withEnded(greeting, runs.confirmed()) : greeting;
    },
    on: {
      welcome(apps) {
        rules = apps;
        watch.up();
        entrust();
        runs.welcomed();
        trust.welcomed();
        isUnknown = false;
        if (!journal.joined) journal.note([{ joined: true }]);
        reports.resend();
        if (isBehind) resendConfirmed();
        lastCenter = nextCenter;
        output.up();
      },
      down() {
        output.down();
        watch.down();
      },
      frame: frame => take(frame),
      refused(code) {
        isUnknown = code === 'unknownKey';
        if (code !== 'retired') return NEVER_JOINS.has(code) && !journal.joined;
        const live = [...journal.records].filter(([, { endedAt }]) => endedAt === null);
        for (const [run, record] of live) if (!mustEnd(record)) end(run, 'superseded', 'its host was retired');
        return live.length === 0;
      },
    },
  });
  const reports: Reports = createReports({ journal, send: report => link.send(report), onReported: run => commands.reported(run) });
  const output: Output = createOutput({
    clock,
    keeperClient,
    log,
    limits,
    spans,
    send: frame => link.send(frame),
    buffered: () => link.buffered(),
    on: { kept: (run, outputKept) => journal.note([{ run, set: { outputKept } }]), delivered: run => runs.delivered(run) },
  });
  const { artifacts, workDirs, programs } = parts;
  const runs = createRuns({
    ...{
      clock,
      log,
      limits,
      spans,
      bootId,
      place,
      inherited,
      users,
      journal,
      keeperClient,
      reports,
      output,
      artifacts,
      workDirs,
      programs,
      signal,
    },
    appRules: () => rules,
    diskTakes: () => diskTakes(parts.disk),
  });
  const commands = createCommands({ clock, log, limits, bootId, place, journal, reports, runs, send: frame => link.send(frame) });
  const watch = createDisconnectWatch({
    clock,
    journal,
    heardAt: () => link.heardAt(),
    stop: (run, reason) => end(run, 'disconnected', reason),
  });
  const take = (frame: CenterFrame) => {
    if (frame.type === 'reportsAcknowledged') reports.reported(frame.ids);
    else if (frame.type === 'outputAcknowledged') output.kept(frame.run, frame.through);
    else void commands.take(frame).then(() => link.isUp() || watch.down());
  };

  const end = (run: string, as: 'disconnected' | 'superseded', reason: string) => {
    log.warn(`${run}: stopped, ${reason}`);
    // Ended whatever the disk says; the keeper's word and this note make the same end of it.
    void journal
      .write([{ run, set: { stop: { as, reason } } }], { reserve: true })
      .catch(() => undefined)
      .then(() => runs.stop(run));
  };
  /** Ends of runs, and the output of open ones. A center that has them ignores the repeats. */
  const resendConfirmed = () => {
    for (const run of runs.confirmed()) {
      const repeat = reports.repeat(runKey(run));
      if (!repeat) continue;
      journal.note([repeat.change]);
      reports.add(repeat.report);
    }
    output.resendAll();
  };
  const entrust = () => {
    const notice = link.notice();
    if (notice)
      keeperClient
        .call(keeper => keeper.registerNotice(notice))
        .catch(problem => log.debug('the keeper does not take the alive notice', { problem: String(problem) }));
  };

  reports.restore();
  runs.resume();
  watch.down();
  return { link, keeperClient, runs, output, watch };
}

/**
 * Each process of a center has higher epochs than the one before. Where they are not higher, or
 * were raised, the store was restored and holds an earlier state.
 */
function mayHaveLost({ epoch, instanceId }: Challenge, journal: Journal, lastCenter: string | undefined): boolean {
  const served = Math.max(-1, ...[...journal.epochs()].map(([, highest]) => highest));
  if (served < 0 || instanceId === lastCenter) return false;
  return epoch <= served || epoch - served >= EPOCHS_RAISED;
}

/**
 * With the ended runs, the latest of them where not all fit into a frame: a larger hello would
 * never be read. Of those that are left out the end is reported after the welcome.
 */
function withEnded(greeting: Hello, ended: Run[]): Hello {
  let left = AGENT_FRAME_MAX - Buffer.byteLength(JSON.stringify(greeting));
  const named: Hello['runs'] = [];
  for (const run of ended.toReversed()) {
    const one = { run, state: 'ended' as const };
    left -= Buffer.byteLength(JSON.stringify(one)) + 1;
    if (left < 0) break;
    named.push(one);
  }
  return { ...greeting, runs: [...greeting.runs, ...named.reverse()] };
}

/** What a full disk does not take, bytes. */
const PROBE_BYTES = 256 * 1024;

const diskTakes = (disk: Disk): Promise<boolean> =>
  disk
    .replace('disk.probe', '-'.repeat(PROBE_BYTES))
    .then(() => disk.remove('disk.probe'))
    .then(
      () => true,
      () => false,
    );

function hello(parts: AgentParts, journal: Journal, runs: Runs, now: { nonce: string; life: string; isUnknown: boolean }): Hello {
  const { identity, settings } = parts;
  const { nonce, life } = now;
  // A center whose store was put back may not know who joined since.
  const token = journal.joined && !now.isUnknown ? undefined : settings.joinToken;
  return {
    type: 'hello',
    protocol: PROTOCOL,
    name: settings.name,
    pool: settings.pool,
    publicKey: identity.publicKey,
    signature: identity.sign(helloText(nonce)),
    ...(token === undefined ? {} : { joinToken: token }),
    bootId: settings.bootId,
    instanceId: life,
    ...(settings.dataDirId === undefined ? {} : { dataDirId: settings.dataDirId }),
    capabilities: settings.capabilities,
    epochs: writeEpochs(journal.epochs()),
    runs: runs.list(),
  };
}

async function sweep(parts: AgentParts, own: { spans: AgentSpans; journal: Journal; output: Output; signal: AbortSignal }): Promise<void> {
  const { spans, journal, output, signal } = own;
  while (!signal.aborted) {
    await pause(parts.clock, spans.sweepMs, signal);
    if (signal.aborted) return;
    for (const sentence of await journal.sweep(parts.clock.now())) parts.log.warn(sentence);
    output.sweep();
  }
}
