/** The feed as server-sent events: ids are cursors, so a client resumes after a reconnect. */

import type { Feed } from '../../feed/feed.ts';
import type { FeedFilter } from '../../feed/filter.ts';
import { STREAMED } from '../../http/websocket/connections.ts';
import type { Clock } from '../../lib/clock.ts';
import { textOf } from './frames.ts';

/** Below ROOM_BYTES of waiting bytes a stream has room; beyond BUFFER_MAX_BYTES it is cut. */
const ROOM_BYTES = 256 * 1024;
const BUFFER_MAX_BYTES = 1024 * 1024;
/** Between comments that keep a quiet stream open through proxies. */
const KEEP_ALIVE_MS = 15_000;
/** When a client reconnects after a cut. */
const RETRY_MS = 2_000;

/** Resolves once the feed has accepted the watcher. Throws the errors of `follow`. */
export async function streamFeed(parts: {
  feed: Pick<Feed, 'follow'>;
  clock: Clock;
  after: string | undefined;
  filter: FeedFilter;
  /** Called every KEEP_ALIVE_MS; false ends the stream. */
  mayRead(): Promise<boolean>;
}): Promise<Response> {
  const { clock } = parts;
  const encoder = new TextEncoder();
  let disarm = () => {};
  let isOpen = true;
  let unfollow = () => {};
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  const end = (lastEvent?: string) => {
    if (!isOpen) return;
    isOpen = false;
    disarm();
    unfollow();
    if (lastEvent !== undefined) controller?.enqueue(encoder.encode(lastEvent));
    controller?.close();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given;
        given.enqueue(encoder.encode(`retry: ${RETRY_MS}\n\n`));
      },
      cancel() {
        isOpen = false;
        disarm();
        unfollow();
      },
    },
    { highWaterMark: ROOM_BYTES, size: piece => piece?.byteLength ?? 0 },
  );

  const following = await parts.feed.follow(
    { after: parts.after, filter: parts.filter },
    {
      take(frame) {
        if (!isOpen || (controller?.desiredSize ?? 0) < ROOM_BYTES - BUFFER_MAX_BYTES) return false;
        const id = 'cursor' in frame ? `id: ${frame.cursor}\n` : '';
        controller?.enqueue(encoder.encode(`${id}data: ${textOf(frame)}\n\n`));
        return true;
      },
      hasRoom: () => (controller?.desiredSize ?? 0) > 0,
      cut: (why, cursor) => end(`event: feed.cut\ndata: ${JSON.stringify({ why, cursor })}\n\n`),
    },
  );
  unfollow = following.stop;
  if (!isOpen) following.stop();

  const stayAlive = () => {
    disarm = clock.after(KEEP_ALIVE_MS, async () => {
      // An unavailable store does not end a login.
      const mayRead = await parts.mayRead().catch(() => true);
      if (!isOpen) return;
      if (!mayRead) return end();
      controller?.enqueue(encoder.encode(': alive\n\n'));
      stayAlive();
    });
  };
  if (isOpen) stayAlive();
  return new Response(stream, {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', ...STREAMED },
  });
}
