/**
 * `GET /v1/executions/{id}/logs`: the output of an execution's processes as NDJSON or plain text,
 * also while they run.
 */
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import { STREAMED } from '../../http/websocket/connections.ts';
import type { Clock } from '../../lib/clock.ts';
import { logEndpoints } from '../../protocol/rest/execution.ts';
import type { Views } from '../../runtime/views.ts';
import type { OutputService } from '../../services/output/index.ts';
import type { OutputStore } from '../../store/port.ts';
import { one } from '../lookup.ts';
import { readAfter } from './logs/after.ts';
import { followOutput, type LogLine } from './logs/follow.ts';

/** Limit of following streams; a further one gets 429. */
const FOLLOWERS_MAX = 500;

export interface LogParts {
  views: Views;
  store: Pick<OutputStore, 'output'>;
  output: Pick<OutputService, 'onKept'>;
  clock: Clock;
  /** Ends following streams, so that they do not delay the stop of the center. */
  stopping?: AbortSignal;
}

const on = serving(logEndpoints);

export function logRoutes(parts: LogParts): Route[] {
  const { views } = parts;
  let followers = 0;

  const logs = on('GET /v1/executions/:id/logs', async ({ params: { id }, query, c }) => {
    const view = await one(views, 'execution', id);
    const { shards } = view.context;
    if (query.shard !== undefined && query.shard >= shards.length) {
      throw new Problem('notFound', `execution ${id} has no shard ${query.shard}`, { field: 'shard' });
    }
    const items = query.shard === undefined ? shards.map(({ item }) => item) : [query.shard];
    const positions = readAfter(query.after, items, query.shard !== undefined);
    const isFollowing = query.follow === 'true';
    if (isFollowing && followers >= FOLLOWERS_MAX) {
      throw new Problem('tooMany', 'this center has reached its limit of followed logs; retry later', { retryAfterMs: 5_000 });
    }
    const isText = c.req.header('accept')?.includes('text/plain') ?? false;
    const ended = new AbortController();
    c.req.raw.signal.addEventListener('abort', () => ended.abort(), { once: true });
    const lines = followOutput({
      ...parts,
      execution: id,
      items,
      positions,
      stream: query.stream ?? 'both',
      isFollowing,
      signal: parts.stopping ? AbortSignal.any([ended.signal, parts.stopping]) : ended.signal,
    });
    if (isFollowing) followers++;
    const body = streamOf(lines, isText ? textLine : jsonLine, ended, () => {
      if (isFollowing) followers--;
    });
    const type = isText ? 'text/plain; charset=utf-8' : 'application/x-ndjson; charset=utf-8';
    // A process may write HTML, which a browser must not render.
    return new Response(body, { headers: { 'content-type': type, 'x-content-type-options': 'nosniff', ...STREAMED } });
  });
  return [logs];
}

const jsonLine = ({ at, ...line }: LogLine): string => `${JSON.stringify({ ...line, at: new Date(at).toISOString() })}\n`;

const textLine = (line: LogLine): string => {
  if (line.leftOut !== undefined) return `\n[${line.leftOut} bytes of ${line.stream} are left out here]\n`;
  return line.text;
};

/** Aborts `ended` at the end or when the reader cancels, and calls `over` exactly once. */
function streamOf(
  lines: AsyncGenerator<LogLine[]>,
  write: (line: LogLine) => string,
  ended: AbortController,
  over: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isOver = false;
  const finish = () => {
    if (!isOver) over();
    isOver = true;
    ended.abort();
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          const next = await lines.next();
          if (next.done) break;
          const text = next.value.map(write).join('');
          // An empty chunk does not satisfy a pull.
          if (text !== '') return controller.enqueue(encoder.encode(text));
        }
        finish();
        controller.close();
      } catch (problem) {
        finish();
        controller.error(problem);
      }
    },
    cancel: finish,
  });
}
