/**
 * Which processes of this host belong to a run, by looking at /proc. A process belongs when
 *   1. it is the run's first process (pid and start time), or
 *   2. it carries the run's mark (brand in its limits, or `TROUPE_RUN_MARK` in its environment), or
 *   3. it carries no mark and is in the session or process group of the first one, or
 *   4. it descends from one that belongs.
 * With orphans adopted by the keeper, everything it ever started stays below it, and only what is
 * below it is looked at. An orphan without any mark is counted to the run that asks as soon as no
 * other run alive can have started it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createBoundedSet } from '../lib/bounded-map.ts';
import { createSingleFlight } from '../lib/single-flight.ts';
import type { Native } from './native.ts';
import type { Tree } from './ports.ts';

export const MARK_VARIABLE = 'TROUPE_RUN_MARK';

/**
 * Looks that must find nothing where there is no proof, and where there is one, how often the table
 * may contradict it before the proof is taken at its word. Never more: whoever asks comes again
 * after a pause, and a look that repeats itself here would keep the whole keeper from everything
 * else.
 */
const LOOKS_MAX = 3;
/** Trees of which it is remembered that they were told of. */
const NOTICED_MAX = 1_000;

export interface Entry {
  pid: number;
  parent: number;
  group: number;
  session: number;
  ticks: number;
  /** A zombie: it has ended and waits to be reaped. */
  dead: boolean;
}

export interface TreePorts {
  native: Native | undefined;
  /** Whether orphans come to this process. */
  adopts: boolean;
  /** The first processes that this keeper started and that have not been reaped, by pid. */
  direct: Map<number, { mark: string; ticks: number | null }>;
  /** Whether this keeper gave the mark out, not a former one. */
  isOurs(mark: string): boolean;
  /** Where the process table is, for tests; default /proc. */
  proc?: string;
  /** Told once per tree when this host contradicts itself about it. */
  notice?(sentence: string): void;
}

export interface Trees {
  /**
   * The living processes of a tree, and what cannot be told from one. Resolves after a few looks,
   * whatever the host says: to be asked again after a pause.
   */
  find(tree: Tree): Promise<Entry[]>;
  /** Reaps dead orphans. */
  tidy(): void;
}

const PROC = '/proc';

function readOr<T>(path: string, otherwise: T): string | T {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return otherwise;
  }
}

export const hasProc = (): boolean => readOr('/proc/self/stat', '') !== '';
export const readBoot = (): string => readOr('/proc/sys/kernel/random/boot_id', 'unknown').trim();

/** The process as /proc tells it, or undefined when it is gone. */
export function readProcess(pid: number, proc = PROC): Entry | undefined {
  const stat = readOr(`${proc}/${pid}/stat`, '');
  // The name stands in parentheses and may hold spaces and parentheses itself.
  const [state = '', parent, group, session, ...more] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (more.length < 16) return undefined;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    ticks: Number(more[15]),
    dead: 'ZXx'.includes(state),
  };
}

const brandOf = (pid: number, proc: string): string => /^Max file locks +(\S+)/m.exec(readOr(`${proc}/${pid}/limits`, ''))?.[1] ?? '';

function variableOf(pid: number, proc: string): string | undefined {
  const found = readOr(`${proc}/${pid}/environ`, '')
    .split('\0')
    .find(line => line.startsWith(`${MARK_VARIABLE}=`));
  return found?.slice(MARK_VARIABLE.length + 1);
}

export function createTrees({ native, adopts, direct, isOurs, proc = PROC, notice = () => {} }: TreePorts): Trees {
  const self = process.pid;
  /**
   * What a child carries when nobody branded it: the keeper may itself be part of somebody's run.
   */
  const unbranded = brandOf(self, proc);
  /** Not every kernel is built to. */
  const listsChildren = readOr(`${proc}/self/task/${self}/children`, undefined) !== undefined;
  const looks = createSingleFlight<Map<number, Entry>>();

  /** One look at the whole process table, shared by all who ask before it begins. */
  const look = (): Promise<Map<number, Entry>> =>
    looks.join(proc, async () => {
      await new Promise(resolve => setImmediate(resolve));
      looks.detach(proc);
      return readTable(proc);
    });

  function marksOf(pid: number): string[] {
    // The brand outlives `env -i`; the variable works without a foreign function interface.
    const brand = brandOf(pid, proc);
    const variable = variableOf(pid, proc);
    return [...(brand === '' || brand === unbranded ? [] : [brand]), ...(variable === undefined ? [] : [variable])];
  }

  /**
   * Living orphans that this process adopted; the dead among them are reaped. undefined: the kernel
   * has no list of children.
   */
  function adopted(): number[] | undefined {
    const list = readOr(`${proc}/self/task/${self}/children`, undefined);
    // Never reap a direct child: its exit status belongs to whoever waits for it.
    return list
      ?.split(' ')
      .map(Number)
      .filter(pid => pid > 0 && !direct.has(pid) && native?.reap(pid) !== true);
  }

  /**
   * One look at the table is no proof that a tree is gone: what was forked after its number was
   * passed is missing, and its parent may have died before being looked at. But with no first
   * process left, a tree of ours can only live on in orphans, and the kernel hands us those before
   * their parent counts as dead: when none of our own children belongs to it, it is gone. Here are
   * those that do, and those of which nobody can say it: a first process whose end has not been
   * told, a child that has ended and cannot be reaped.
   */
  function remaining(tree: Tree): Entry[] {
    const children = leads(tree) ? undefined : adopted();
    return (children ?? [tree.pid ?? -1]).flatMap(pid => {
      const entry = readProcess(pid, proc) ?? unreadable(pid);
      return children === undefined || entry.dead || belongs(entry, tree) ? [entry] : [];
    });
  }

  /** Every process that may belong to the tree, the runs of others left aside. */
  function candidates(tree: Tree, entries: Map<number, Entry>): Set<number> {
    if (!adopts || !isOurs(tree.mark)) return new Set(entries.keys());
    return below([self], entries, pid => direct.has(pid) && direct.get(pid)?.mark !== tree.mark);
  }

  /**
   * Its first process was started here and its end not told: its number alone may have become
   * another run's since.
   */
  const leads = (tree: Tree): boolean => tree.pid !== null && direct.get(tree.pid)?.mark === tree.mark;

  function belongs(entry: Entry, tree: Tree): boolean {
    if (entry.pid === tree.pid && (tree.ticks === null ? leads(tree) : tree.ticks === entry.ticks)) return true;
    const marks = marksOf(entry.pid);
    if (marks.length > 0) return marks.includes(tree.mark);
    if (tree.pid !== null && tree.ticks !== null && entry.ticks >= tree.ticks && [entry.session, entry.group].includes(tree.pid))
      return true;
    if (!adopts || entry.parent !== self || direct.has(entry.pid) || !isOurs(tree.mark)) return false;
    return ![...direct.values()].some(({ mark, ticks }) => mark !== tree.mark && (ticks ?? 0) <= entry.ticks);
  }

  async function lookFor(tree: Tree): Promise<Entry[]> {
    const entries = await look();
    const roots: number[] = [];
    for (const pid of candidates(tree, entries)) {
      const entry = entries.get(pid);
      // Group 0 are the kernel's own threads.
      if (pid !== self && entry !== undefined && entry.group > 0 && !entry.dead && belongs(entry, tree)) roots.push(pid);
    }
    // The first process counts until its exit was told: it is what the verdict waits for.
    if (leads(tree) && tree.pid !== null) roots.push(tree.pid);
    const members = below(roots, entries, pid => pid === self);
    return [...members].flatMap(pid => entries.get(pid) ?? []).filter(({ pid, dead }) => !dead || pid === tree.pid);
  }

  const noticed = createBoundedSet<string>(NOTICED_MAX);
  function noticeOnce(mark: string, sentence: string): void {
    if (noticed.has(mark)) return;
    noticed.add(mark);
    notice(sentence);
  }

  return {
    async find(tree) {
      const isSure = adopts && listsChildren && isOurs(tree.mark);
      let left = isSure ? remaining(tree) : [];
      if (isSure && left.length === 0) return [];
      for (let looks = 0; looks < LOOKS_MAX; looks++) {
        const members = await lookFor(tree);
        if (members.length > 0) return members;
        if (!isSure) continue;
        left = remaining(tree);
        if (left.length === 0) return [];
      }
      const pids = left.map(({ pid }) => pid).join(', ');
      if (isSure)
        noticeOnce(tree.mark, `the process table does not show what is left of run mark ${tree.mark}: ${pids}; looking again later`);
      return left;
    },
    tidy: () => void (adopts && adopted()),
  };
}

/** A process that may be alive. No start time fits it, so it never gets a signal. */
const unreadable = (pid: number): Entry => ({ pid, parent: 0, group: 0, session: 0, ticks: -1, dead: true });

function readTable(proc: string): Map<number, Entry> {
  const entries = new Map<number, Entry>();
  for (const name of readdirSync(proc)) {
    // As a number: as text, "9123" comes behind "9", and such a process would be seen by nobody.
    const entry = /^\d+$/.test(name) ? readProcess(Number(name), proc) : undefined;
    if (entry !== undefined) entries.set(entry.pid, entry);
  }
  return entries;
}

/** The roots and their descendants, without those of `leaveOut` and their descendants. */
function below(roots: Iterable<number>, entries: Map<number, Entry>, leaveOut: (pid: number) => boolean): Set<number> {
  const children = new Map<number, number[]>();
  for (const { pid, parent } of entries.values()) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  const found = new Set(roots);
  // A set gives what is added during the walk its turn, too.
  for (const pid of found) for (const child of children.get(pid) ?? []) if (!leaveOut(child)) found.add(child);
  return found;
}
