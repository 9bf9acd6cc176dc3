/**
 * Which processes of this host belong to a run, by /proc. A process belongs when it
 *   1. is the run's first process (pid and start time), or
 *   2. carries the run's tag (in its limits, or `TROUPE_RUN_TAG` in its environment), or
 *   3. carries no tag and is in the session or process group of the first one, or
 *   4. descends from one that belongs.
 * The keeper adopts orphans, so all its processes stay below it, and no others are read. An orphan
 * without a tag belongs to a run as soon as no other living run can have started it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createBoundedSet } from '../lib/bounded-map.ts';
import { createSingleFlight } from '../lib/single-flight.ts';
import type { Native } from './native.ts';
import type { ProcessTree } from './ports.ts';

export const TAG_VARIABLE = 'TROUPE_RUN_TAG';

/**
 * Reads of the table per `find`. One read can miss a process. Many reads block the keeper, and
 * every caller polls again after a pause.
 */
const READS_MAX = 3;
/** Trees whose warning was logged. */
const WARNED_MAX = 1_000;

export interface ProcessEntry {
  pid: number;
  parent: number;
  group: number;
  session: number;
  startTicks: number;
  /** A zombie: it has exited and waits to be reaped. */
  dead: boolean;
}

export interface ProcessTablePorts {
  native: Native | undefined;
  /** Whether orphans become children of this process. */
  adopts: boolean;
  /** The first processes of this keeper's runs that are not yet reaped, by pid. */
  direct: Map<number, { tag: string; startTicks: number | null }>;
  /** Whether this keeper created the tag, not an earlier one. */
  isOurs(tag: string): boolean;
  /** Where the process table is mounted; default /proc. */
  proc?: string;
  /** Called once per tree when /proc contradicts itself about it. */
  warn?(sentence: string): void;
}

export interface ProcessTable {
  /**
   * The living processes of a tree, and those that may belong to it. Resolves after a few reads; to
   * be called again after a pause.
   */
  find(tree: ProcessTree): Promise<ProcessEntry[]>;
  reapOrphans(): void;
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

/** Undefined when the process is gone. */
export function readProcess(pid: number, proc = PROC): ProcessEntry | undefined {
  const stat = readOr(`${proc}/${pid}/stat`, '');
  // The name is in parentheses and may contain spaces and parentheses itself.
  const [state = '', parent, group, session, ...more] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (more.length < 16) return undefined;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTicks: Number(more[15]),
    dead: 'ZXx'.includes(state),
  };
}

export function createProcessTable(ports: ProcessTablePorts): ProcessTable {
  const { adopts, isOurs, proc = PROC, warn = () => {} } = ports;
  const self = process.pid;
  /** Not every kernel lists them. */
  const listsChildren = childrenOf(self, proc) !== undefined;
  const membership = createMembership(ports, proc);
  const { belongs, isFirstOurs } = membership;
  const readShared = createSharedRead(proc);
  const warned = createBoundedSet<string>(WARNED_MAX);

  /** Every process that may belong to the tree, without the runs of others. */
  function candidates(tree: ProcessTree, entries: Map<number, ProcessEntry>): Set<number> {
    if (!adopts || !isOurs(tree.tag)) return new Set(entries.keys());
    return below([self], entries, pid => ports.direct.has(pid) && ports.direct.get(pid)?.tag !== tree.tag);
  }

  async function readTree(tree: ProcessTree): Promise<ProcessEntry[]> {
    const entries = await readShared();
    const roots: number[] = [];
    for (const pid of candidates(tree, entries)) {
      const entry = entries.get(pid);
      // Group 0 are the kernel's own threads.
      if (pid !== self && entry !== undefined && entry.group > 0 && !entry.dead && belongs(entry, tree)) roots.push(pid);
    }
    // The first process counts until its exit is reported: the outcome waits for it.
    if (isFirstOurs(tree) && tree.pid !== null) roots.push(tree.pid);
    const members = below(roots, entries, pid => pid === self);
    return [...members].flatMap(pid => entries.get(pid) ?? []).filter(({ pid, dead }) => !dead || pid === tree.pid);
  }

  function warnOnce(tree: ProcessTree, left: ProcessEntry[]): void {
    if (warned.has(tree.tag)) return;
    warned.add(tree.tag);
    const pids = left.map(({ pid }) => pid).join(', ');
    warn(`the process table does not show processes ${pids} of the run with tag ${tree.tag}; the keeper polls again`);
  }

  return {
    async find(tree) {
      const canProve = adopts && listsChildren && isOurs(tree.tag);
      let left = canProve ? membership.remaining(tree) : [];
      if (canProve && left.length === 0) return [];
      for (let reads = 0; reads < READS_MAX; reads++) {
        const members = await readTree(tree);
        if (members.length > 0) return members;
        if (!canProve) continue;
        left = membership.remaining(tree);
        if (left.length === 0) return [];
      }
      if (canProve) warnOnce(tree, left);
      return left;
    },
    reapOrphans: () => void (adopts && membership.adopted()),
  };
}

/** Decides for one process whether it belongs to a tree. */
function createMembership({ native, adopts, direct, isOurs }: ProcessTablePorts, proc: string) {
  const self = process.pid;
  /** The tag of untagged children: the keeper may itself belong to a run. */
  const inherited = limitTagOf(self, proc);

  function tagsOf(pid: number): string[] {
    // The tag in the limits survives `env -i`; the variable needs no foreign function interface.
    const tag = limitTagOf(pid, proc);
    const variable = variableTagOf(pid, proc);
    return [...(tag === '' || tag === inherited ? [] : [tag]), ...(variable === undefined ? [] : [variable])];
  }

  /** Whether this keeper started its first process and its exit is not yet reported. */
  const isFirstOurs = (tree: ProcessTree): boolean => tree.pid !== null && direct.get(tree.pid)?.tag === tree.tag;

  function belongs(entry: ProcessEntry, tree: ProcessTree): boolean {
    // The pid alone may have become another run's.
    if (entry.pid === tree.pid && (tree.startTicks === null ? isFirstOurs(tree) : tree.startTicks === entry.startTicks)) return true;
    const tags = tagsOf(entry.pid);
    if (tags.length > 0) return tags.includes(tree.tag);
    const { pid, startTicks } = tree;
    if (pid !== null && startTicks !== null && entry.startTicks >= startTicks && [entry.session, entry.group].includes(pid)) return true;
    if (!adopts || entry.parent !== self || direct.has(entry.pid) || !isOurs(tree.tag)) return false;
    return ![...direct.values()].some(other => other.tag !== tree.tag && (other.startTicks ?? 0) <= entry.startTicks);
  }

  /** Living adopted orphans; dead ones are reaped. Undefined: the kernel does not list children. */
  function adopted(): number[] | undefined {
    // A direct child is never reaped here: its exit code belongs to the runtime that waits for it.
    return childrenOf(self, proc)?.filter(pid => !direct.has(pid) && native?.reap(pid) !== true);
  }

  /**
   * The proof that a tree is gone. One read of the table is none: it misses processes forked behind
   * it. But once the first process has exited, the tree lives on in orphans alone, and the kernel
   * gives those to the keeper before their parent counts as dead. Returns our children that belong
   * to the tree, or may belong to it: unreaped, or not readable.
   */
  function remaining(tree: ProcessTree): ProcessEntry[] {
    const children = isFirstOurs(tree) ? undefined : adopted();
    return (children ?? [tree.pid ?? -1]).flatMap(pid => {
      const entry = readProcess(pid, proc) ?? unreadable(pid);
      return children === undefined || entry.dead || belongs(entry, tree) ? [entry] : [];
    });
  }

  return { belongs, isFirstOurs, adopted, remaining };
}

/** Reads the whole process table, once for all callers of one event-loop turn. */
function createSharedRead(proc: string): () => Promise<Map<number, ProcessEntry>> {
  const reads = createSingleFlight<Map<number, ProcessEntry>>();
  return () =>
    reads.join(proc, async () => {
      await new Promise(resolve => setImmediate(resolve));
      reads.detach(proc);
      return readTable(proc);
    });
}

const limitTagOf = (pid: number, proc: string): string => /^Max file locks +(\S+)/m.exec(readOr(`${proc}/${pid}/limits`, ''))?.[1] ?? '';

function variableTagOf(pid: number, proc: string): string | undefined {
  const found = readOr(`${proc}/${pid}/environ`, '')
    .split('\0')
    .find(line => line.startsWith(`${TAG_VARIABLE}=`));
  return found?.slice(TAG_VARIABLE.length + 1);
}

const childrenOf = (pid: number, proc: string): number[] | undefined =>
  readOr(`${proc}/self/task/${pid}/children`, undefined)
    ?.split(' ')
    .map(Number)
    .filter(child => child > 0);

/** A process that may be alive. No start time equals its own, so it never gets a signal. */
const unreadable = (pid: number): ProcessEntry => ({ pid, parent: 0, group: 0, session: 0, startTicks: -1, dead: true });

function readTable(proc: string): Map<number, ProcessEntry> {
  const entries = new Map<number, ProcessEntry>();
  for (const name of readdirSync(proc)) {
    const entry = /^\d+$/.test(name) ? readProcess(Number(name), proc) : undefined;
    if (entry !== undefined) entries.set(entry.pid, entry);
  }
  return entries;
}

/** The roots and their descendants, without `leaveOut` and the descendants of these. */
function below(roots: Iterable<number>, entries: Map<number, ProcessEntry>, leaveOut: (pid: number) => boolean): Set<number> {
  const children = new Map<number, number[]>();
  for (const { pid, parent } of entries.values()) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  const found = new Set(roots);
  // Iterating a set also visits what is added meanwhile.
  for (const pid of found) for (const child of children.get(pid) ?? []) if (!leaveOut(child)) found.add(child);
  return found;
}
