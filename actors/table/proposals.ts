/**
 * Which host each shard belongs to, and the proposals to jobs whose shards belong elsewhere now.
 * The job takes a proposal and reports it; the row follows the report.
 */
import { tell } from '../decision.ts';
import { namedBy } from '../pool/admission.ts';
import { fits } from '../pool/ledger.ts';
import type { Cost } from '../pool/types.ts';
import type { Effect } from '../types.ts';
import { putEntry } from './entries.ts';
import { choose, pointName } from './ring.ts';
import type { Claim, TableContext, TableEntry, TableHost } from './types.ts';

/** A turn of the table so far. `changed`: rows changed. */
export interface Turn {
  context: TableContext;
  effects: Effect[];
  changed: boolean;
}

export const turnOf = (context: TableContext): Turn => ({ context, effects: [], changed: false });

const candidatesOfHosts = new WeakMap<TableContext['hosts'], Map<string, ReadonlySet<string>>>();

/** The hosts that each size of shard and list of servers allow, decided once while they stay. */
export function createCandidates({ hosts }: Pick<TableContext, 'hosts'>): (claim: Claim) => ReadonlySet<string> {
  const known = candidatesOfHosts.get(hosts) ?? new Map<string, ReadonlySet<string>>();
  candidatesOfHosts.set(hosts, known);
  return claim => {
    const key = JSON.stringify([claim.need, claim.servers]);
    const found = known.get(key) ?? new Set(Object.values(hosts).flatMap(host => (isCandidate(host, claim) ? [host.id] : [])));
    known.set(key, found);
    return found;
  };
}

const isCandidate = (host: TableHost, claim: Claim): boolean => host.state === 'ready' && mayHold(host, claim);
const mayHold = (host: TableHost, { need, servers = [] }: Claim): boolean => fits(host.total, need) && namedBy(servers)(host);

/** A host that is away keeps its rows. */
const keeps = (host: TableHost | undefined, claim: Claim): boolean => host?.state === 'away' && mayHold(host, claim);

export const sameHosts = (a: readonly string[] | null, b: readonly string[] | null): boolean =>
  a === b || (a !== null && b !== null && a.length === b.length && a.every((host, item) => host === b[item]));

/** The host of each shard by the choice of now; null where one of them has none. */
function wantedHosts({ keys, hosts }: TableContext, entry: TableEntry, candidates: ReadonlySet<string>): string[] | null {
  const target = entry.proposed ?? entry.hosts;
  const wanted: string[] = [];
  for (let item = 0; item < entry.shards; item++) {
    const current = target?.[item];
    const isKept = current !== undefined && keeps(hosts[current], entry);
    const host = isKept ? current : candidates.size > 0 ? choose(keys, pointName(entry.id, item), id => candidates.has(id)) : undefined;
    if (host === undefined) return null;
    wanted.push(host);
  }
  return wanted;
}

/** Hosts of these that take no work of the job any more. */
const closedOf = ({ hosts }: TableContext, claim: Claim, of: readonly string[]): string[] =>
  [...new Set(of)].filter(id => {
    const host = hosts[id];
    return !host || !(isCandidate(host, claim) || keeps(host, claim));
  });

/** Puts the entry with a proposal where its choice is another one than the table had proposed. */
export function propose(turn: Turn, entry: TableEntry, before: TableEntry | undefined, candidates: ReadonlySet<string>): Turn {
  const { context } = turn;
  const target = entry.proposed ?? entry.hosts;
  const wanted = wantedHosts(context, entry, candidates);
  const reason = wanted === null ? whyNone(context, entry) : null;
  const hosts = wanted === null ? null : entry.hosts;
  const isPending = wanted !== null && !sameHosts(wanted, hosts);
  const closed = isPending && entry.hosts !== null ? closedOf(context, entry, entry.hosts) : [];
  const isNews = !sameHosts(wanted, target) || reason !== entry.reason || (isPending && !sameHosts(closed, entry.closed));
  if (!isNews && entry === before) return turn;
  const next: TableEntry = { ...entry, hosts, reason, closed, proposed: isPending ? wanted : null };
  const placed = put(turn, next, before);
  if (!isNews) return placed;
  const serial = placed.context.serial + 1;
  const name = context.hosts[wanted?.[0] ?? '']?.name ?? null;
  const event = { type: 'job.propose', pool: context.pool, serial, hosts: wanted, name, closed, reason } as const;
  return { ...placed, context: { ...placed.context, serial }, effects: [...placed.effects, tell(`job/${entry.job}`, event)] };
}

/** Puts the entry and notes whether its row changed. */
function put(turn: Turn, entry: TableEntry, before: TableEntry | undefined): Turn {
  const isMade = entry.hosts !== null && (before?.hosts ?? null) === null;
  const changed = !sameHosts(before?.hosts ?? null, entry.hosts) || (entry.hosts !== null && before?.version !== entry.version);
  const made = isMade ? turn.context.made + 1 : turn.context.made;
  const context = putEntry({ ...turn.context, made }, isMade ? { ...entry, made } : entry);
  return { ...turn, context, changed: turn.changed || changed };
}

const amount = ({ cpu, memory }: Cost): string => `${cpu / 1000} cpu and ${memory / 1000} MB`;

/** Why no host of the pool is a candidate. */
function whyNone({ pool, hosts }: Pick<TableContext, 'pool' | 'hosts'>, claim: Claim): string {
  const all = Object.values(hosts);
  if (all.length === 0) return `pool ${pool} has no host`;
  const named = all.filter(namedBy(claim.servers ?? []));
  if (named.length === 0) return `no host of pool ${pool} is among the servers of the job`;
  const ready = named.filter(({ state }) => state === 'ready');
  const away = named.filter(({ state }) => state === 'away').length;
  const closed = named.length - ready.length - away;
  const parts = [
    ...(ready.length > 0 ? [`${ready.length} ready too small`] : []),
    ...(away > 0 ? [`${away} away`] : []),
    ...(closed > 0 ? [`${closed} that take no runs`] : []),
  ];
  return `no host of pool ${pool}${named.length < all.length ? ' among the servers of the job' : ''} takes a shard of ${amount(claim.need)}: it has ${parts.join(', ')}`;
}
