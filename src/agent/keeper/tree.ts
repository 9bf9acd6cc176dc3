/**
 * Which processes of this host belong to a run, by looking at /proc. A process belongs when
 *   1. it is the run's first process (pid and start time), or
 *   2. it carries the run's mark: the brand in its limits or `TROUPE_RUN_MARK` in its environment, or
 *   3. it carries no mark and is in the session or process group of the first one, or
 *   4. it descends from one that belongs.
 * With orphans adopted by the keeper, everything it ever started stays below it, and only what is below it is looked at. An orphan without any mark
 * is counted to the run that asks as soon as no other run alive can have started it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Native } from './native.ts';
import type { Tree } from './ports.ts';

export const MARK_VARIABLE = 'TROUPE_RUN_MARK';

/** Looks that must find nothing where orphans go elsewhere than to this process. */
const LOOKS_WITHOUT_PROOF = 3;

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
}

export interface Trees {
  /** The living processes of a tree. */
  find(tree: Tree): Promise<Entry[]>;
  /** Reaps dead orphans. */
  tidy(): void;
}

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
export function readProcess(pid: number): Entry | undefined {
  const stat = readOr(`/proc/${pid}/stat`, '');
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

const brandOf = (pid: number): string => /^Max file locks +(\S+)/m.exec(readOr(`/proc/${pid}/limits`, ''))?.[1] ?? '';

function variableOf(pid: number): string | undefined {
  const found = readOr(`/proc/${pid}/environ`, '')
    .split('\0')
    .find(line => line.startsWith(`${MARK_VARIABLE}=`));
  return found?.slice(MARK_VARIABLE.length + 1);
}

export function createTrees({ native, adopts, direct, isOurs }: TreePorts): Trees {
  const self = process.pid;
  /** What a child carries when nobody branded it: the keeper may itself be part of somebody's run. */
  const unbranded = brandOf(self);
  /** Not every kernel is built to. */
  const listsChildren = readOr(`/proc/self/task/${self}/children`, undefined) !== undefined;
  let looking: Promise<Map<number, Entry>> | undefined;

  /** One look at the whole process table, shared by all who ask before it begins. */
  function look(): Promise<Map<number, Entry>> {
    looking ??= new Promise(resolve => {
      setImmediate(() => {
        looking = undefined;
        resolve(readTable());
      });
    });
    return looking;
  }

  function marksOf(pid: number): string[] {
    // The brand outlives `env -i`; the variable works without a foreign function interface.
    const brand = brandOf(pid);
    const variable = variableOf(pid);
    return [...(brand === '' || brand === unbranded ? [] : [brand]), ...(variable === undefined ? [] : [variable])];
  }

  /** Living orphans that this process adopted; the dead among them are reaped. undefined: the kernel has no list of children. */
  function adopted(): number[] | undefined {
    const list = readOr(`/proc/self/task/${self}/children`, undefined);
    // Never reap a direct child: its exit status belongs to whoever waits for it.
    return list
      ?.split(' ')
      .map(Number)
      .filter(pid => pid > 0 && !direct.has(pid) && native?.reap(pid) !== true);
  }

  /**
   * One look at the table is no proof that a tree is gone: what was forked after its number was passed is missing, and its parent may have died before
   * being looked at. But with no first process left, a tree of ours can only live on in orphans, and the kernel hands us those before their parent counts
   * as dead: when none of our own children belongs to it, it is gone.
   */
  function surelyGone(tree: Tree): boolean {
    const children = direct.has(tree.pid ?? -1) ? undefined : adopted();
    return (
      children?.every(pid => {
        const entry = readProcess(pid);
        return entry !== undefined && !entry.dead && !belongs(entry, tree);
      }) ?? false
    );
  }

  /** Every process that may belong to the tree, the runs of others left aside. */
  function candidates(tree: Tree, entries: Map<number, Entry>): Set<number> {
    if (!adopts || !isOurs(tree.mark)) return new Set(entries.keys());
    return below([self], entries, pid => direct.has(pid) && pid !== tree.pid);
  }

  function belongs(entry: Entry, tree: Tree): boolean {
    if (entry.pid === tree.pid && (tree.ticks === null || tree.ticks === entry.ticks)) return true;
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
    if (direct.get(tree.pid ?? -1)?.mark === tree.mark && tree.pid !== null) roots.push(tree.pid);
    const members = below(roots, entries, pid => pid === self);
    return [...members].flatMap(pid => entries.get(pid) ?? []).filter(({ pid, dead }) => !dead || pid === tree.pid);
  }

  return {
    async find(tree) {
      const isSure = adopts && listsChildren && isOurs(tree.mark);
      if (isSure && surelyGone(tree)) return [];
      for (let looks = 1; ; looks++) {
        const members = await lookFor(tree);
        if (members.length > 0 || (isSure ? surelyGone(tree) : looks === LOOKS_WITHOUT_PROOF)) return members;
      }
    },
    tidy: () => void (adopts && adopted()),
  };
}

function readTable(): Map<number, Entry> {
  const entries = new Map<number, Entry>();
  for (const name of readdirSync('/proc')) {
    const entry = name > '9' || name < '0' ? undefined : readProcess(Number(name));
    if (entry !== undefined) entries.set(entry.pid, entry);
  }
  return entries;
}

/** The roots and all that descends from them, without those that `leaveOut` names and what is below these. */
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
