/** Following an execution to its end: its output as it comes, why it waits, and over breaks of the connection. */
import { pause } from '../clock.ts';
import type { Client } from './client.ts';
import { EXIT, Failure, Interrupted } from './failure.ts';
import type { Printer } from './printer.ts';
import type { Shell } from './shell.ts';
import type { Execution, LogLine } from './surface.ts';
import { executionPath } from './verbs/executions.ts';

/** Between two looks at how far it is. */
const LOOK_MS = 500;
const SOON_MS = 20;
/** From the answer to a trigger to the execution itself: owed by then, but perhaps not there yet. */
const APPEARS_MS = 10_000;
/** What was written last may arrive after the verdict. */
const LAST_OUTPUT_MS = 5_000;
const RETRY_MS = 1_000;
export type Stream = 'stdout' | 'stderr' | 'both';
interface With {
  client: Client;
  shell: Shell;
  print: Printer;
}

/** Copies the output of one shard or of all; with `follow` until they can write no more, over breaks of the connection. */
export async function copyOutput(
  parts: With,
  asked: { execution: Pick<Execution, 'id' | 'shards'>; shard?: number | undefined; stream: Stream; follow: boolean; signal: AbortSignal },
): Promise<void> {
  const { execution, shard, stream, follow, signal } = asked;
  const output = createOutput(parts, shard !== undefined || execution.shards.length === 1);
  /** How far each shard was read. */
  const places = new Map<number, number>();
  for (;;) {
    const after = shard === undefined ? [...places].map(([item, seq]) => `${item}:${seq}`).join(',') : String(places.get(shard) ?? '');
    try {
      const path = `${executionPath(execution.id)}/logs`;
      for await (const line of parts.client.stream<LogLine>(path, { shard, stream, follow, after: after || undefined }, signal)) {
        const item = line.item ?? shard ?? 0;
        places.set(item, line.seq);
        await output.write(item, line);
      }
      return await output.end();
    } catch (error) {
      if (signal.aborted) return;
      if (!follow || !isUnreachable(error)) throw error;
      await pause(parts.shell.clock, RETRY_MS, signal);
    }
  }
}

/** Writes pieces of output. Of several shards each line says which one wrote it, and lines of two shards never mix. */
function createOutput({ shell, print }: Pick<With, 'shell' | 'print'>, isOne: boolean) {
  const unfinished = new Map<number, string>();
  const lineOf = (item: number, text: string) => `${print.paint.dim(`[${item}]`)} ${text}\n`;
  const textOf = ({ text, leftOut, stream }: LogLine) =>
    leftOut === undefined ? text : `\n[${leftOut} bytes of ${stream} are left out here]\n`;
  return {
    async write(item: number, line: LogLine): Promise<void> {
      if (print.json) return print.each({ ...line, item }, () => '');
      if (isOne) return shell.write(textOf(line));
      const lines = `${unfinished.get(item) ?? ''}${textOf(line)}`.split('\n');
      unfinished.set(item, lines.pop() ?? '');
      await shell.write(lines.map(text => lineOf(item, text)).join(''));
    },
    /** What never got its line end. */
    async end(): Promise<void> {
      for (const [item, text] of unfinished) if (text !== '') await shell.write(lineOf(item, text));
    },
  };
}

/** Resolves with the execution when it is done. Rejects with Failure when it is not there, or when somebody wants the shell back. */
export async function followExecution(parts: With, id: string): Promise<Execution> {
  const { shell, print } = parts;
  const until = shell.clock.monotonic() + APPEARS_MS;
  const ending = new AbortController();
  const signal = AbortSignal.any([shell.signal, ending.signal]);
  let copied: Promise<void> | undefined;
  let told = '';
  try {
    for (;;) {
      const one = await look(parts, id, until);
      if (one) copied ??= copyOutput(parts, { execution: one, stream: 'both', follow: true, signal });
      if (one?.status === 'done') {
        await Promise.race([copied, pause(shell.clock, LAST_OUTPUT_MS, signal)]);
        return one;
      }
      const hint = one?.status === 'pending' && one.reason ? `pending: ${one.reason}` : '';
      if (hint !== '' && hint !== told && !print.json) shell.say(`${id} ${hint}`);
      told = hint;
      // The end of the output is the sign to look at once: the verdict is there, or about to be.
      const sign = copied?.then(() => pause(shell.clock, SOON_MS, signal));
      await Promise.race([pause(shell.clock, LOOK_MS, signal), ...(sign ? [sign] : [])]);
      if (shell.signal.aborted) {
        throw new Interrupted(`no longer following; ${id} goes on, and "troupe executions cancel ${id}" would end it`);
      }
    }
  } finally {
    ending.abort();
  }
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
