/** The ledger of a pool: what each host has, what its runs take, whether it takes new ones. */
import type { Resources } from '../app/types.ts';
import { runKeyOf } from '../execution/run-spec.ts';
import type { RunName } from '../execution/types.ts';
import type { Cost, LedgerHost, PoolContext, ReservationRequest } from './types.ts';

export const costOf = (resources: Resources): Cost => ({
  cpu: Math.round(resources.cpus * 1000),
  memory: Math.round(resources.memoryMB * 1000),
});

/** Whether it is tried with the next execution. */
export const isOnTrial = ({ refusing }: Pick<LedgerHost, 'refusing'>): boolean =>
  refusing !== undefined && refusing.until === null && refusing.trial === null;
/** Whether new runs may be placed there. */
export const takesRuns = (host: Pick<LedgerHost, 'open' | 'excluded' | 'refusing'>): boolean =>
  host.open && !host.excluded && (!host.refusing || isOnTrial(host));

export const freeOf = (host: LedgerHost): Cost => ({ cpu: host.total.cpu - host.used.cpu, memory: host.total.memory - host.used.memory });

/** Users choose names, and a name may equal a property of every object: `constructor`. */
const ownOf = <T>(record: Record<string, T>, name: string): T | undefined => (Object.hasOwn(record, name) ? record[name] : undefined);

/** What one more run of this app would cost on this host. */
export function priceOn(host: Pick<LedgerHost, 'apps'>, request: ReservationRequest): Cost {
  const shard = costOf(request.resources);
  if (!request.app || ownOf(host.apps, request.app.name)) return shard;
  const app = costOf(request.app.resources);
  return { cpu: shard.cpu + app.cpu, memory: shard.memory + app.memory };
}

export const fits = (free: Cost, price: Cost): boolean => price.cpu <= free.cpu && price.memory <= free.memory;

/** Adds the run to the host's ledger. Idempotent. */
export function reserve(host: LedgerHost, run: RunName, request: Pick<ReservationRequest, 'resources' | 'app'>): LedgerHost {
  const key = runKeyOf(run);
  if (host.reservations[key]) return host;
  const cost = costOf(request.resources);
  const used = { cpu: host.used.cpu + cost.cpu, memory: host.used.memory + cost.memory };
  const apps = { ...host.apps };
  if (request.app) {
    const here = ownOf(apps, request.app.name);
    if (here) apps[request.app.name] = { ...here, runs: here.runs + 1 };
    else {
      const own = costOf(request.app.resources);
      apps[request.app.name] = { cost: own, runs: 1 };
      used.cpu += own.cpu;
      used.memory += own.memory;
    }
  }
  return { ...host, used, apps, reservations: { ...host.reservations, [key]: { run, cost, app: request.app?.name ?? null } } };
}

/** Removes the run from the host's ledger, and the app's own cost with its last run. Idempotent. */
export function release(host: LedgerHost, key: string): LedgerHost {
  const reservation = host.reservations[key];
  if (!reservation) return host;
  const { [key]: _, ...reservations } = host.reservations;
  const used = { cpu: host.used.cpu - reservation.cost.cpu, memory: host.used.memory - reservation.cost.memory };
  const apps = { ...host.apps };
  const here = reservation.app === null ? undefined : ownOf(apps, reservation.app);
  if (reservation.app !== null && here) {
    if (here.runs > 1) apps[reservation.app] = { ...here, runs: here.runs - 1 };
    else {
      delete apps[reservation.app];
      used.cpu -= here.cost.cpu;
      used.memory -= here.cost.memory;
    }
  }
  return { ...host, used, apps, reservations };
}

export function withHost(context: PoolContext, id: string, change: Partial<LedgerHost>): PoolContext {
  const host = context.hosts[id];
  return host ? { ...context, hosts: { ...context.hosts, [id]: { ...host, ...change } } } : context;
}
