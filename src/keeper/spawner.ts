/**
 * Real processes: each leads a session of its own, has no standard input, two pipes, and exactly
 * the given environment plus its tag.
 */
import { randomBytes } from 'node:crypto';
import { readBootId } from '../lib/boot-id.ts';
import { type ChildProcess, startByBun, startByNode } from './child-process.ts';
import type { Native } from './native.ts';
import type { ProcessTree, Spawner, SpawnRequest } from './ports.ts';
import {
  createProcessTable,
  hasProc,
  type ProcessEntry,
  type ProcessTable,
  type ProcessTablePorts,
  readProcess,
  TAG_VARIABLE,
} from './process-tree.ts';
import { isExhausted, isPlainScript, lineEndFlawOf, startFailure } from './start-failure.ts';

const SHELL = '/bin/sh';
/** A tag is a random number of its keeper and a counter: 40 bits, then 23 bits. */
const COUNTER_BITS = 23n;

/**
 * Makes this process the reaper of its runs' orphans; call it once. Without `native`, trees are
 * found by the tag variable and the process group alone.
 */
export function createSpawner(native: Native | undefined): Spawner {
  const adopts = hasProc() && native?.adoptOrphans() === true;
  const keeperNumber = BigInt(`0x${randomBytes(5).toString('hex')}`);
  let counter = 0n;
  const direct: ProcessTablePorts['direct'] = new Map();
  const isOurs = (tag: string) => BigInt(tag) >> COUNTER_BITS === keeperNumber;
  const table = hasProc() ? createProcessTable({ native, adopts, direct, isOurs, warn }) : undefined;

  return {
    bootId: readBootId(),
    createTag: () => String((keeperNumber << COUNTER_BITS) | (counter++ & ((1n << COUNTER_BITS) - 1n))),
    async start(request) {
      let child: ChildProcess;
      // `#!/usr/bin/env` exists, so the start would only report that there is no such program. Not
      // checked for programs of the system.
      const [program = ''] = request.argv;
      const flaw = program.startsWith(`${request.cwd}/`) ? lineEndFlawOf(program) : undefined;
      if (flaw !== undefined) return { failed: `"${program}" could not be started: ${flaw}` };
      // At once: an unknown child is reaped as an orphan, and its exit code is lost.
      const onFork = (pid: number) => void direct.set(pid, { tag: request.tag, startTicks: null });
      try {
        child = await startTagged(request, native, onFork);
      } catch (error) {
        return { failed: startFailure(request, error), ...(isExhausted(error) && { fault: 'spawn' as const }) };
      }
      const { pid, ...rest } = child;
      const exit = child.exit.finally(() => direct.get(pid)?.tag === request.tag && direct.delete(pid));
      return { started: { ...rest, exit, tree: { tag: request.tag, pid, startTicks: null } } };
    },
    identify(tree) {
      const known = direct.get(tree.pid ?? -1);
      if (known?.tag !== tree.tag) return tree;
      known.startTicks = readProcess(tree.pid ?? -1)?.startTicks ?? null;
      return { ...tree, startTicks: known.startTicks };
    },
    countAlive: async tree => (table === undefined ? Number(isGroupAlive(tree)) : (await table.find(tree)).length),
    signal: (tree, name) => signalTree({ table, direct }, tree, name),
    reapOrphans: () => table?.reapOrphans(),
  };
}

/** Starts the process; as shells and execvp do, a script without `#!` by /bin/sh. */
function startTagged(request: SpawnRequest, native: Native | undefined, onFork: (pid: number) => void): Promise<ChildProcess> {
  const [program = ''] = request.argv;
  const tagged = { ...request, env: { ...request.env, [TAG_VARIABLE]: request.tag } };
  const start = async (argv: string[]): Promise<ChildProcess> => {
    // Set while the child is forked, so that it never runs without the tag.
    native?.tagChildren(BigInt(request.tag));
    try {
      // Both fork before they return.
      const byBun = process.versions.bun !== undefined && native !== undefined;
      return byBun ? startByBun({ ...tagged, argv }, native, onFork) : startByNode({ ...tagged, argv }, onFork);
    } finally {
      native?.tagChildren(undefined);
    }
  };
  return start(request.argv).catch(error => {
    if (Object(error).code !== 'ENOEXEC' || !isPlainScript(program)) throw error;
    return start([SHELL, ...request.argv]);
  });
}

async function signalTree(
  { table, direct }: { table: ProcessTable | undefined; direct: ProcessTablePorts['direct'] },
  tree: ProcessTree,
  name: 'TERM' | 'KILL',
) {
  const isFirstOurs = tree.pid !== null && direct.get(tree.pid)?.tag === tree.tag;
  const members = (await table?.find(tree)) ?? [];
  // Read last: an exit after this line counts as caused by the signal.
  const firstHadExited = table !== undefined && isFirstOurs && readProcess(tree.pid ?? -1)?.dead !== false;
  // The kernel signals a group at once, including processes that it forks now.
  if (tree.pid !== null && (isFirstOurs || (table === undefined && isGroupAlive(tree)))) send(-tree.pid, `SIG${name}`);
  for (const member of members) if (!isFirstOurs || member.group !== tree.pid) sendExactly(member, `SIG${name}`);
  // A stopped process does not handle its TERM.
  if (name === 'TERM') for (const member of members) sendExactly(member, 'SIGCONT');
  return { alive: table === undefined ? Number(isGroupAlive(tree)) : members.length, firstHadExited };
}

/** Writes to the keeper's log. */
const warn = (sentence: string): void => void process.stderr.write(`${sentence}\n`);

const isGroupAlive = ({ pid }: ProcessTree): boolean => pid !== null && send(-pid, 0);

/** False: the process does not exist, or belongs to another user. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Signals the process of the table, never one that has its pid since. */
function sendExactly(seen: ProcessEntry, signal: NodeJS.Signals): void {
  if (readProcess(seen.pid)?.startTicks === seen.startTicks) send(seen.pid, signal);
}
