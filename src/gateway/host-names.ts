/**
 * Names of hosts, each once in a pool: virtual machines of one image, and agents with a new data
 * directory, come under a name that another host has. The next one is called `web-2`. A name is
 * free again when its host is retired.
 */
import { createMutex } from '../lib/keyed-mutex.ts';
import type { Views } from '../runtime/views.ts';

/** Longest name of a host. */
const NAME_LONGEST = 100;
const PAGE = 200;

export interface HostNames {
  /**
   * Calls `enroll` with the name, or with the name and a number behind it that no other host has.
   * An agent whose enrolment failed gets the name of that attempt again: `key` is its key.
   * Throws what `enroll` and the store throw.
   */
  enroll(wanted: { pool: string; name: string; host: string; key: string }, enroll: (name: string) => Promise<void>): Promise<void>;
}

export function createHostNames(views: Pick<Views, 'get' | 'list'>): HostNames {
  /** By pool, then by name: who has it. Read once; all hosts join through here. */
  const pools = new Map<string, Map<string, string>>();
  /** Next number to try, by pool and name: of a thousand equal names none tries all before it. */
  const numbers = new Map<string, number>();
  /**
   * Hosts whose enrolment is under way, or failed with unknown outcome, and the keys of their
   * agents: they have their name, though they are not there.
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
    // One hello of a key follows the other, so an attempt of the same agent is over.
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
