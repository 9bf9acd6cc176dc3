/**
 * All machines of a small fleet together, without a runtime: messages wait in lanes (in order per
 * sender and receiver) until a test picks them, and hosts run processes in memory. The test decides
 * the order, so that it can walk through any interplay.
 */
import { runKeyOf } from '../../actors/execution/run-spec.ts';
import type { RunName } from '../../actors/execution/types.ts';
import type { HostCapabilities } from '../../actors/host/types.ts';
import type { Address, Effect, Events, Kind } from '../../actors/types.ts';
import { AT, anActor } from './actor.ts';
import { anEnd } from './builders.ts';

type Actor = { tell(event: unknown): { effects: Effect[] }; pass(ms: number): { effects: Effect[] } };
type Command = Extract<Effect, { type: 'start' | 'stop' }>;

/** A host with its agent: it knows the commands it got, and the test ends its processes. */
export interface ScriptedHost {
  name: string;
  /** Sessions of this host so far: each host counts its own, as its actor does. */
  sessions: number;
  session: number | null;
  /** Commands on their way, in order; they wait while there is no session. */
  inbox: Command[];
  /** Reports on their way, in order; they wait while there is no session. */
  outbox: { run: RunName; event: Events['execution'] }[];
  known: Set<string>;
  live: Map<string, RunName>;
}

const CAPABILITIES: HostCapabilities = {
  os: 'linux',
  arch: 'x64',
  cpus: 1,
  memoryMB: 1_000,
  labels: {},
  agentVersion: '1',
  hostname: 'h',
  treeKill: 'group',
  appIsolation: 'copy',
  runAs: { user: null, allowed: [] },
};

export function anEnsemble(hostNames: string[]) {
  const actors = new Map<string, Actor>();
  const lanes = new Map<string, { from: string; to: string; event: { type: string } }[]>();
  const hosts = hostNames.map(
    (name): ScriptedHost => ({ name, sessions: 0, session: null, inbox: [], outbox: [], known: new Set(), live: new Map() }),
  );
  let now = AT;
  let salts = 0;

  function post(from: string, to: string, event: { type: string }): void {
    const lane = lanes.get(`${from} ${to}`) ?? [];
    lanes.set(`${from} ${to}`, lane);
    lane.push({ from, to, event });
  }

  function carry(from: string, effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'tell') post(from, effect.params.to, effect.params.event);
      if (effect.type === 'start' || effect.type === 'stop') hosts.find(host => host.name === effect.params.host)?.inbox.push(effect);
    }
  }

  const ensemble = {
    hosts,
    get lanes() {
      return [...lanes.values()].filter(lane => lane.length > 0);
    },
    get<K extends Kind>(address: Address<K>) {
      return actors.get(address) as ReturnType<typeof anActor<K>> | undefined;
    },
    all: (kind: Kind) => [...actors].filter(([address]) => address.startsWith(`${kind}/`)).map(([, actor]) => actor as unknown),
    created<K extends Kind>(address: Address<K>, create: Events[K]): void {
      const actor = anActor(address, create, { createdAt: now, salt: () => `s${++salts}` });
      actors.set(address, actor as unknown as Actor);
      carry(address, actor.created.effects);
    },
    tell<K extends Kind>(address: Address<K>, event: Events[K]): void {
      const actor = actors.get(address);
      if (actor) carry(address, actor.tell(event).effects);
    },
    /** The head of this lane arrives. */
    deliver(lane: { from: string; to: string; event: { type: string } }[]): void {
      const message = lane.shift();
      if (!message) return;
      const { from, to, event } = message;
      const creates = event.type === 'execution.create' || event.type === 'table.create';
      if (creates && !actors.has(to)) ensemble.created(to as Address<'execution' | 'table'>, event as Events['execution']);
      else if (actors.has(to)) ensemble.tell(to as Address, event as Events[Kind]);
      else ensemble.tell(from as Address, { type: 'actor.missing', to, eventType: event.type, event } as Events[Kind]);
    },
    pass(ms: number): void {
      now += ms;
      for (const [address, actor] of [...actors]) carry(address, actor.pass(ms).effects);
    },
    connect(host: ScriptedHost): void {
      host.session = ++host.sessions;
      const runs = [...host.live.values(), ...host.outbox.filter(each => each.event.type === 'shard.ended').map(each => each.run)];
      post('hub', `host/${host.name}`, {
        type: 'host.connected',
        session: `s${host.session}`,
        address: '',
        capabilities: CAPABILITIES,
        bootId: 'b',
        runs,
      } as Events['host']);
    },
    cut(host: ScriptedHost): void {
      if (host.session === null) return;
      post('hub', `host/${host.name}`, { type: 'host.disconnected', session: `s${host.session}`, reason: 'cut' } as Events['host']);
      host.session = null;
    },
    /**
     * The next command arrives at its agent: what is known is not started again, what is stopped
     * before it began never begins.
     */
    command(host: ScriptedHost): void {
      const command = host.session === null ? undefined : host.inbox.shift();
      if (!command) return;
      const { run } = command.params;
      const key = runKeyOf(run);
      if (command.type === 'stop') {
        if (!host.known.has(key)) ensemble.end(host, run, 'cancelled', null);
        else if (host.live.has(key) && command.params.as !== 'withdrawn') ensemble.end(host, run, 'cancelled');
      } else if (!host.known.has(key)) {
        host.live.set(key, run);
        const { item, attempt } = run;
        host.outbox.push({
          run,
          event: { type: 'shard.started', item, attempt, host: host.name, startedAt: now, pid: 1, session: host.session ?? 0 },
        });
      }
      host.known.add(key);
    },
    end(host: ScriptedHost, run: RunName, outcome: 'succeeded' | 'failed' | 'cancelled', startedAt: number | null = now): void {
      host.live.delete(runKeyOf(run));
      host.outbox.push({ run, event: { ...anEnd(run.item, host.name, outcome, run.attempt), startedAt, finishedAt: now } });
    },
    /** The next report arrives at its execution. */
    report(host: ScriptedHost): void {
      const next = host.session === null ? undefined : host.outbox.shift();
      if (next) ensemble.tell(`execution/${next.run.execution}`, next.event);
    },
    /** The machine restarts with an empty disk and knows nothing. */
    wipe(host: ScriptedHost): void {
      ensemble.cut(host);
      host.live.clear();
      host.known.clear();
      host.outbox = [];
    },
  };
  return ensemble;
}

export type Ensemble = ReturnType<typeof anEnsemble>;
