/** The feed as server-sent events: ids are cursors, so a client resumes after a reconnect. */

import type { Feed } from '../../feed/feed.ts';
import type { FeedFilter } from '../../feed/filter.ts';
import { STREAMED } from '../../http/websocket/connections.ts';
import type { Clock } from '../../lib/clock.ts';
import { textOf } from './frames.ts';

/** Waiting bytes up to which a stream counts as having room, and beyond which it is cut. */
const ROOM_BYTES = 256 * 1024;
const BUFFER_MAX_BYTES = 1024 * 1024;
/** Between signs of life, so that nobody on the way takes a quiet feed for a dead one. */
const SSE_ALIVE_MS = 15_000;
/** When a cut client may come again. */
const RETRY_MS = 2_000;

/** Resolves once the feed has taken the watcher. Throws what `follow` throws. */
export async function streamFeed(parts: {
  feed: Pick<Feed, 'follow'>;
  clock: Clock;
  after: string | undefined;
  filter: FeedFilter;
  /** Asked now and then; false ends the stream. */
  mayGoOn(): Promise<boolean>;
}): Promise<Response> {
  const { clock } = parts;
  const encoder = new TextEncoder();
  let disarm = () => {};
  let isOpen = true;
  let unfollow = () => {};
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  const end = (lastWords?: string) => {
    if (!isOpen) return;
    isOpen = false;
    disarm();
    unfollow();
    if (lastWords !== undefined) controller?.enqueue(encoder.encode(lastWords));
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
    disarm = clock.after(SSE_ALIVE_MS, async () => {
      const mayGoOn = await parts.mayGoOn().catch(() => true);
      if (!isOpen) return;
      if (!mayGoOn) return end();
      controller?.enqueue(encoder.encode(': alive\n\n'));
      stayAlive();
    });
  };
  if (isOpen) stayAlive();
  return new Response(stream, {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', ...STREAMED },
  });
}
