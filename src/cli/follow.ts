/**
 * Follows an execution to its end: shows its output and why it waits, and reconnects after a lost
 * connection.
 */
import { pause } from '../lib/clock.ts';
import type { Execution } from '../protocol/rest/execution.ts';
import type { Client } from './client.ts';
import { EXIT, Failure, Interrupted } from './failure.ts';
import { createTerminalOutput, type OutputFormat } from './output.ts';
import type { Printer } from './printer.ts';
import type { Shell } from './shell.ts';

/** Time between two reads of the execution, ms. */
const LOOK_MS = 500;
const SOON_MS = 20;
/** Longest wait for a trigger's execution, ms: pending when answered, perhaps not created. */
const APPEARS_MS = 10_000;
/** Wait for output that arrives after the outcome, ms. */
const LAST_OUTPUT_MS = 5_000;
const RETRY_MS = 1_000;
/** Time between two notes about an execution that waits, ms. */
const WAITS_MS = 10_000;
type Stream = 'stdout' | 'stderr' | 'both';
interface With {
  client: Client;
  shell: Shell;
  print: Printer;
}

/**
 * `follow`: until no shard can write any more, across reconnects. `since`: ISO 8601; output before
 * it is not shown.
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
  /** Last sequence number that was read of each shard. */
  const sequences = new Map<number, number>();
  // `tail` needs all stored lines first; later lines are written as they arrive.
  let isFollowing = follow && tail === undefined;
  for (;;) {
    const after =
      shard === undefined ? [...sequences].map(([item, seq]) => `${item}:${seq}`).join(',') : String(sequences.get(shard) ?? '');
    try {
      const query = { shard, stream, follow: isFollowing, after: after || undefined };
      for await (const piece of parts.client.stream('GET /v1/executions/:id/logs', { params: { id: execution.id }, query }, signal)) {
        sequences.set(piece.item, piece.seq);
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
 * Resolves with the execution when it is done. Rejects with Failure when it is unknown, or when the
 * user interrupts.
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
      // After the end of the output the outcome is there, or follows soon.
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
 * Shows what an execution waits for while no process of it runs: at once, when the reason changes,
 * and every WAITS_MS.
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
      // At the first read a pool with enough capacity may not have answered yet.
      if (looks === 1 && one.reason === null) return;
      const now = shell.clock.monotonic();
      if (saidAt !== undefined && one.reason === reason && now - saidAt < WAITS_MS) return;
      reason = one.reason;
      saidAt = now;
      try {
        const { sentence } = await client.call('GET /v1/executions/:id/why', { params: { id: one.id } });
        shell.notify(print.prose(print.localised(sentence)).join('\n'));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        shell.notify(`${one.id} ${one.status}${one.reason === null ? '' : `: ${one.reason}`}`);
      }
    },
  };
}

/** Undefined: not created yet, or the center is unreachable now. */
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
