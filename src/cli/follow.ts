/**
 * Following an execution to its end: its output as it comes, why it waits, and over breaks of the
 * connection.
 */
import { pause } from '../lib/clock.ts';
import type { Execution } from '../protocol/rest/execution.ts';
import type { Client } from './client.ts';
import { EXIT, Failure, Interrupted } from './failure.ts';
import { createTerminalOutput, type OutputFormat } from './output.ts';
import type { Printer } from './printer.ts';
import type { Shell } from './shell.ts';

/** Between two looks at how far it is. */
const LOOK_MS = 500;
const SOON_MS = 20;
/** Longest wait for a trigger's execution, ms: pending when answered, perhaps not created. */
const APPEARS_MS = 10_000;
/** What was written last may arrive after the verdict. */
const LAST_OUTPUT_MS = 5_000;
const RETRY_MS = 1_000;
/** How often the reason of an execution that has not begun is repeated, ms. */
const WAITS_MS = 10_000;
type Stream = 'stdout' | 'stderr' | 'both';
interface With {
  client: Client;
  shell: Shell;
  print: Printer;
}

/**
 * `follow`: until the shards can write no more, over breaks of the connection. `since`: ISO 8601,
 * only what was written then and later.
 */
interface Asked extends Pick<OutputFormat, 'timestamps' | 'tail'> {
  execution: Pick<Execution, 'id' | 'shards'>;
  shard?: number | undefined;
  stream: Stream;
  follow: boolean;
  since?: string | undefined;
  signal: AbortSignal;
}

/** Copies the output of one shard or of all. */
export async function copyOutput(parts: With, asked: Asked): Promise<void> {
  const { execution, shard, stream, follow, since, signal, timestamps, tail } = asked;
  const attempts = new Map(execution.shards.map(({ item, attempt }) => [item, attempt]));
  const output = createTerminalOutput(parts, {
    namesShards: shard === undefined && execution.shards.length > 1,
    timestamps,
    tail,
    attempts,
  });
  /** How far each shard was read. */
  const places = new Map<number, number>();
  // The last stored lines are known once all are read; later ones are written as they come.
  let isFollowing = follow && tail === undefined;
  for (;;) {
    const after = shard === undefined ? [...places].map(([item, seq]) => `${item}:${seq}`).join(',') : String(places.get(shard) ?? '');
    try {
      const query = { shard, stream, follow: isFollowing, after: after || undefined };
      for await (const piece of parts.client.stream('GET /v1/executions/:id/logs', { params: { id: execution.id }, query }, signal)) {
        places.set(piece.item, piece.seq);
        if (since === undefined || piece.at >= since) await output.write(piece);
      }
      if (isFollowing === follow) return await output.end();
      await output.release();
      isFollowing = true;
    } catch (error) {
      if (signal.aborted) return await output.end();
      if (!follow || !isUnreachable(error)) throw error;
      await pause(parts.shell.clock, RETRY_MS, signal);
    }
  }
}

/**
 * Resolves with the execution when it is done. Rejects with Failure when it is not there, or when
 * somebody wants the shell back.
 */
export async function followExecution(parts: With, id: string): Promise<Execution> {
  const { shell, print } = parts;
  const until = shell.clock.monotonic() + APPEARS_MS;
  const ending = new AbortController();
  const signal = AbortSignal.any([shell.signal, ending.signal]);
  let copied: Promise<void> | undefined;
  const notes = createWaitingNotes(parts);
  try {
    for (;;) {
      const one = await look(parts, id, until);
      if (one) copied ??= copyOutput(parts, { execution: one, stream: 'both', follow: true, signal });
      if (one?.status === 'done') {
        await Promise.race([copied, pause(shell.clock, LAST_OUTPUT_MS, signal)]);
        return one;
      }
      if (one && !print.json) await notes.look(one);
      // The end of the output is the sign to look at once: the verdict is there, or about to be.
      const sign = copied?.then(() => pause(shell.clock, SOON_MS, signal));
      await Promise.race([pause(shell.clock, LOOK_MS, signal), ...(sign ? [sign] : [])]);
      if (shell.signal.aborted) {
        throw new Interrupted(`no longer following; ${id} goes on, and "troupe executions cancel ${id}" would end it`);
      }
    }
  } finally {
    ending.abort();
    // Resets the colours of the terminal.
    if (shell.signal.aborted) await Promise.race([copied?.catch(() => {}), pause(shell.clock, SOON_MS)]);
  }
}

/**
 * Says what an execution waits for while no process of it runs: at once, when it becomes something
 * else, and every WAITS_MS.
 */
function createWaitingNotes({ client, shell, print }: With) {
  let looks = 0;
  let reason: string | null = null;
  let saidAt: number | undefined;
  return {
    async look(one: Execution): Promise<void> {
      looks += 1;
      if (one.shards.some(({ status }) => status === 'running' || status === 'ending')) {
        saidAt = undefined;
        return;
      }
      // At the first look a pool that has room may not have answered yet.
      if (looks === 1 && one.reason === null) return;
      const now = shell.clock.monotonic();
      if (saidAt !== undefined && one.reason === reason && now - saidAt < WAITS_MS) return;
      reason = one.reason;
      saidAt = now;
      try {
        const { sentence } = await client.call('GET /v1/executions/:id/why', { params: { id: one.id } });
        shell.say(print.prose(print.localised(sentence)).join('\n'));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        shell.say(`${one.id} ${one.status}${one.reason === null ? '' : `: ${one.reason}`}`);
      }
    },
  };
}

/** undefined: not there yet, or out of reach for the moment. */
async function look({ client, shell }: With, id: string, until: number): Promise<Execution | undefined> {
  try {
    return await client.call('GET /v1/executions/:id', { params: { id } });
  } catch (error) {
    const isYoung = shell.clock.monotonic() < until;
    if (shell.signal.aborted || isUnreachable(error) || (isYoung && error instanceof Failure && error.code === 'notFound'))
      return undefined;
    throw error;
  }
}

const isUnreachable = (error: unknown): boolean => error instanceof Failure && error.exit === EXIT.unreachable;
