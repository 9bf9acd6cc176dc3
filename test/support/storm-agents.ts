/**
 * Many agents in one process that reconnect as real ones do: the link is the agent's own (back-off,
 * heartbeats, refusals), over real sockets. They run nothing: a start is recorded and goes on until
 * all are stopped. The process that started this one commands them.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { agentSpans } from '../../src/agent/limits.ts';
import { createLink, type LinkListener } from '../../src/agent/link/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createDialer } from '../../src/lib/dialer.ts';
import { systemIds } from '../../src/lib/ids.ts';
import { CENTER_FRAME_MAX, helloText, keyOfRun, PROTOCOL, type Report, type Run } from '../../src/protocol/agent.ts';

export type StormRequest = 'count' | 'end';
/**
 * `starts`: different runs that were ordered; `doubled`: runs that reached two agents, or the same
 * one anew; `repeats`: commands that came again.
 */
export interface StormReport {
  up: number;
  starts: number;
  doubled: number;
  repeats: number;
  attemptsMax: number;
}

const [url = '', count = '1', poolList = 'default', redialBaseMs = String(agentSpans.redialBaseMs)] = process.argv.slice(2);
const pools = poolList.split(',');
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const hostOf = new Map<string, number>();
let doubled = 0;
let repeats = 0;
let attemptsMax = 0;

const agents = Array.from({ length: Number(count) }, (_, place) => anAgent(place));
process.on('message', (order: StormRequest) => {
  if (order === 'end') for (const agent of agents) agent.end();
  const up = agents.filter(agent => agent.isUp()).length;
  process.send?.({ up, starts: hostOf.size, doubled, repeats, attemptsMax } satisfies StormReport);
});
process.on('disconnect', () => process.exit(0));

function anAgent(place: number) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  /** Runs by name, with the keys of the commands that were taken for them. */
  const runs = new Map<string, { run: Run; keys: Set<string>; reports: Report[]; isOver: boolean }>();
  let lastReport = 0;
  const send = (report: Report) => link.send(report);
  const report = (key: string, said: Report) => {
    runs.get(key)?.reports.push(said);
    send(said);
  };

  const start = (key: string, run: Run) => {
    link.send({ type: 'commandsAcknowledged', keys: [key] });
    const name = keyOfRun(run);
    attemptsMax = Math.max(attemptsMax, run.attempt);
    const known = runs.get(name);
    if (known?.keys.has(key)) {
      repeats += 1;
      return;
    }
    if (hostOf.has(name)) doubled += 1;
    hostOf.set(name, place);
    runs.set(name, { run, keys: new Set([key]), reports: [], isOver: false });
    report(name, { type: 'report', id: ++lastReport, run, state: 'started', at: systemClock.now(), pid: 1 });
  };

  const link = createLink({
    clock: systemClock,
    ids: systemIds,
    dialer: createDialer(systemClock, CENTER_FRAME_MAX),
    log: silent,
    spans: { ...agentSpans, redialBaseMs: Number(redialBaseMs) },
    centers: [`${url}/v1/agents`],
  });

  function forget(ids: Set<number>): void {
    for (const [name, each] of runs) {
      each.reports = each.reports.filter(({ id }) => !ids.has(id));
      if (each.isOver && each.reports.length === 0) runs.delete(name);
    }
  }
  const listener: LinkListener = {
    refusal: () => undefined,
    hello: ({ nonce }) => ({
      type: 'hello',
      protocol: PROTOCOL,
      name: `storm${place}`,
      pool: pools[place % pools.length] ?? 'default',
      publicKey: publicKey.export({ format: 'jwk' }).x ?? '',
      signature: sign(null, Buffer.from(helloText(nonce)), privateKey).toString('base64url'),
      bootId: 'storm',
      epochs: '',
      capabilities: {
        os: 'linux',
        arch: 'x64',
        labels: {},
        agentVersion: '0.1.0',
        hostname: `storm${place}`,
        treeKill: 'group',
        appIsolation: 'copy',
        runAs: { user: null, allowed: [] },
        ...{ cpus: 4, memoryMB: 4_000 },
      },
      runs: [...runs.values()].map(({ run, isOver }) => ({ run, state: isOver ? 'ended' : 'running' })),
    }),
    up() {
      for (const { reports } of runs.values()) for (const said of reports) send(said);
    },
    frame(frame) {
      if (frame.type === 'start') start(frame.key, frame.run);
      else if (frame.type === 'stop') link.send({ type: 'commandsAcknowledged', keys: [frame.key] });
      else if (frame.type === 'reportsAcknowledged') forget(new Set(frame.ids));
    },
    down() {},
    refused: () => false,
  };
  void link.run(new AbortController().signal, listener);

  return {
    isUp: () => link.isUp(),
    end() {
      const at = systemClock.now();
      for (const [name, each] of runs) {
        if (each.isOver) continue;
        each.isOver = true;
        const ended = { state: 'ended', outcome: 'succeeded', exitCode: 0, startedAt: at, at } as const;
        report(name, { type: 'report', id: ++lastReport, run: each.run, ...ended });
      }
    },
  };
}
