/** Following an execution to its end: its output as it comes, why it waits, and over breaks of the connection. */
import { pause } from '../clock.ts';
import type { Client } from './client.ts';
import { EXIT, Failure } from './failure.ts';
import type { Printer } from './printer.ts';
import type { Shell } from './shell.ts';
import type { Execution, LogLine } from './surface.ts';
import { executionPath } from './verbs/executions.ts';

/** Between two looks at how far it is. */
const LOOK_MS = 500;
/** From the answer to a trigger to the execution itself: owed by then, but perhaps not there yet. */
const APPEARS_MS = 10_000;
/** What was written last may arrive after the verdict. */
const LAST_OUTPUT_MS = 5_000;
const RETRY_MS = 1_000;
/** Shards whose output is followed at once; of more, only the verdicts are told. */
export const SHARDS_MAX = 64;

export type Stream = 'stdout' | 'stderr' | 'both';
interface With {
  client: Client;
  shell: Shell;
  print: Printer;
}

/** Writes pieces of output. Of several shards each line says which one wrote it, and lines of two shards never mix. */
export function createOutput({ shell, print }: Pick<With, 'shell' | 'print'>, isOne: boolean) {
  const unfinished = new Map<number, string>();
  return {
    async write(item: number, line: LogLine): Promise<void> {
      if (print.json) return print.each({ ...line, shard: item }, () => '');
      if (isOne) return shell.write(line.text);
      const lines = `${unfinished.get(item) ?? ''}${line.text}`.split('\n');
      unfinished.set(item, lines.pop() ?? '');
      if (lines.length > 0) await shell.write(lines.map(text => `${print.paint.dim(`[${item}]`)} ${text}\n`).join(''));
    },
    async end(item: number): Promise<void> {
      const rest = unfinished.get(item);
      unfinished.delete(item);
      if (rest) await shell.write(`${print.paint.dim(`[${item}]`)} ${rest}\n`);
    },
  };
}

/** Copies the output of one shard; with `follow` until the shard can write no more, over breaks of the connection. */
export async function copyOutput(
  parts: With,
  asked: { execution: string; item: number; stream: Stream; follow: boolean; signal: AbortSignal; write(line: LogLine): Promise<void> },
): Promise<void> {
  const { execution, item: shard, stream, follow, signal } = asked;
  let after: number | undefined;
  for (;;) {
    try {
      for await (const line of parts.client.stream<LogLine>(`${executionPath(execution)}/logs`, { shard, stream, follow, after }, signal)) {
        after = line.seq;
        await asked.write(line);
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!follow || !isUnreachable(error)) throw error;
      await pause(parts.shell.clock, RETRY_MS, signal);
    }
  }
}

/** Resolves with the execution when it is done. Rejects with Failure when it is not there, or when somebody wants the shell back. */
export async function followExecution(parts: With, id: string): Promise<Execution> {
  const { shell, print } = parts;
  const until = shell.clock.monotonic() + APPEARS_MS;
  const copies: Promise<void>[] = [];
  const ending = new AbortController();
  const signal = AbortSignal.any([shell.signal, ending.signal]);
  let told = '';
  try {
    for (;;) {
      const one = await look(parts, id, until);
      if (one) {
        if (copies.length === 0) copies.push(...copyAll(parts, one, signal));
        if (one.status === 'done') {
          await Promise.race([Promise.all(copies), pause(shell.clock, LAST_OUTPUT_MS, signal)]);
          return one;
        }
        const hint = one.status === 'pending' && one.reason ? `waits: ${one.reason}` : '';
        if (hint !== told && hint !== '' && !print.json) shell.say(`${id} ${hint}`);
        told = hint;
      }
      await Promise.race([
        pause(shell.clock, LOOK_MS, signal),
        ...(copies.length > 0 ? [Promise.all(copies).then(() => pause(shell.clock, 20, signal))] : []),
      ]);
      if (shell.signal.aborted)
        throw new Failure(EXIT.failed, `no longer following; ${id} goes on, "troupe executions cancel" would end it`, { code: 'stopped' });
    }
  } finally {
    ending.abort();
  }
}

function copyAll(parts: With, { id, shards }: Execution, signal: AbortSignal): Promise<void>[] {
  if (shards.length > SHARDS_MAX) {
    parts.shell.say(`${id} has ${shards.length} shards; "troupe logs" shows the output of each`);
    return [];
  }
  const output = createOutput(parts, shards.length === 1);
  return shards.map(async ({ item }) => {
    await copyOutput(parts, { execution: id, item, stream: 'both', follow: true, signal, write: line => output.write(item, line) });
    await output.end(item);
  });
}

/** undefined: not there yet, or out of reach for the moment. */
async function look({ client, shell }: With, id: string, until: number): Promise<Execution | undefined> {
  try {
    return await client.get<Execution>(executionPath(id));
  } catch (error) {
    const isYoung = shell.clock.monotonic() < until;
    if (shell.signal.aborted || isUnreachable(error) || (isYoung && error instanceof Failure && error.code === 'notFound'))
      return undefined;
    throw error;
  }
}

const isUnreachable = (error: unknown): boolean => error instanceof Failure && error.exit === EXIT.unreachable;
