/**
 * Names of hosts, unique in a pool. Virtual machines of one image, and agents with a new data
 * directory, bring a name that another host has: the second `web` becomes `web-2`. The name of a
 * retired host is free again.
 */
import { createMutex } from '../lib/keyed-mutex.ts';
import type { Views } from '../runtime/views.ts';

/** Longest name of a host. */
const NAME_LONGEST = 100;
const PAGE = 200;

export interface HostNames {
  /**
   * Calls `enroll` with a free name: the wanted one, or the same with a number. After a failed
   * enrolment the same agent (`key`) gets the same name again. Throws what `enroll` and the store
   * throw.
   */
  enroll(wanted: { pool: string; name: string; host: string; key: string }, enroll: (name: string) => Promise<void>): Promise<void>;
}

export function createHostNames(views: Pick<Views, 'get' | 'list'>): HostNames {
  /** Id of the host by pool, then by name. Read once: all hosts join through here. */
  const pools = new Map<string, Map<string, string>>();
  /** Next number to try, by pool and name. Without it n equal names would cost n² tries. */
  const numbers = new Map<string, number>();
  /**
   * Key of the agent by host, for enrolments that are pending or failed with unknown outcome. These
   * hosts keep their names although they may not exist.
   */
  const enrolling = new Map<string, string>();
  const inTurn = createMutex();

  async function read(pool: string): Promise<Map<string, string>> {
    const names = new Map<string, string>();
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof views.list<'host'>>> = await views.list('host', {
        parent: pool,
        limit: PAGE,
        order: 'name',
        ...(cursor === null ? {} : { cursor }),
      });
      for (const { context, value } of page.items) if (value !== 'retired') names.set(context.name, context.id);
      cursor = page.next;
    } while (cursor !== null);
    return names;
  }

  /** A host that cannot be read keeps its name. */
  const isFree = async (holder: string | undefined, key: string): Promise<boolean> => {
    if (holder === undefined) return true;
    // Hellos of one key are handled one after the other: an earlier attempt of this agent is over.
    if (enrolling.has(holder)) return enrolling.get(holder) === key && enrolling.delete(holder);
    const view = await views.get(`host/${holder}`).catch(() => null);
    return view === undefined || view?.value === 'retired';
  };

  async function find({ pool, name, host, key }: Parameters<HostNames['enroll']>[0]): Promise<string> {
    const names = pools.get(pool) ?? (await read(pool));
    pools.set(pool, names);
    const numbered = `${pool}/${name}`;
    let nth = 1;
    let candidate = name;
    while (!(await isFree(names.get(candidate), key))) {
      nth = nth === 1 ? (numbers.get(numbered) ?? 2) : nth + 1;
      const suffix = `-${nth}`;
      candidate = name.slice(0, NAME_LONGEST - suffix.length) + suffix;
    }
    if (nth > 1) numbers.set(numbered, nth + 1);
    names.set(candidate, host);
    enrolling.set(host, key);
    return candidate;
  }

  return {
    async enroll(wanted, enroll) {
      await enroll(await inTurn(() => find(wanted)));
      enrolling.delete(wanted.host);
    },
  };
}
