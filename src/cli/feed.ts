/** The live feed of the command line: from a cursor, across reconnects, without gap or repeat. */
import { createGrowingDelay } from '../lib/backoff.ts';
import { pause } from '../lib/clock.ts';
import type { Fact } from '../protocol/rest/fact.ts';
import type { QueryOf } from '../protocol/rest/index.ts';
import { type Client, queryText } from './client.ts';
import { EXIT, Failure } from './failure.ts';
import type { Shell } from './shell.ts';

/** Close code for a watcher that reads too slowly. It reconnects and continues at its cursor. */
const TOO_SLOW = 4008;
const BACKOFF = { baseMs: 500, capMs: 10_000 };
const PING_MS = 20_000;
/** Time without a fact or a pong after which the connection is closed, ms. */
const SILENCE_MS_MAX = 60_000;
/** Facts received and not shown yet; at the limit the connection is closed and read again later. */
const WAITING_MAX = 20_000;

/** A fact, or a notice of the feed itself, which has no cursor. */
export type FeedFact = Omit<Fact, 'cursor'> & { cursor?: string };
/** Filters of the feed. */
type FeedQuery = NonNullable<QueryOf<'GET /v1/feed'>>;

export interface FeedNews {
  /** Resolves when it is shown. */
  fact(fact: FeedFact): Promise<void>;
  /** A sentence about the state of the connection. */
  hint(sentence: string): void;
}

/** Runs until interrupted. Rejects when the center refuses or the first attempt fails. */
export async function followFeed({ client, shell }: { client: Client; shell: Shell }, query: FeedQuery, news: FeedNews): Promise<void> {
  let after = query.after;
  const backoff = createGrowingDelay(BACKOFF);
  await probe(client, query);
  while (!shell.signal.aborted) {
    const { token } = await client.account();
    const url = await client.center();
    const address = `${url.replace(/^http/, 'ws')}/v1/feed${queryText({ ...query, after })}`;
    const end = await listen(address, token, shell, async fact => {
      await news.fact(fact);
      // The notice that older facts are deleted has no cursor.
      after = fact.cursor ?? after;
      backoff.reset();
    });
    if (shell.signal.aborted) return;
    news.hint(
      end.code === TOO_SLOW
        ? 'this terminal is slower than the feed; reconnecting where it stopped'
        : `the connection is lost${end.reason ? `: ${end.reason}` : ''}; trying again`,
    );
    do {
      await pause(shell.clock, backoff.next(), shell.signal);
    } while (!shell.signal.aborted && !(await isThere(client, { ...query, after })));
  }
}

/**
 * A refused WebSocket gives no reason. The same request for a stream of events gives one: another
 * program, no login, or a wrong query.
 */
const probe = (client: Client, query: FeedQuery): Promise<void> => client.probe('GET /v1/feed', query, 'text/event-stream');

async function isThere(client: Client, query: FeedQuery): Promise<boolean> {
  try {
    await probe(client, query);
    return true;
  } catch (error) {
    // Unreachable or full: worth a retry.
    if (error instanceof Failure && (error.exit === EXIT.unreachable || error.code === 'tooMany')) return false;
    throw error;
  }
}

/**
 * Resolves when the connection is closed and every received fact is shown. Rejects where `take`
 * rejects.
 */
async function listen(
  address: string,
  token: string | undefined,
  { clock, signal }: Shell,
  take: (fact: FeedFact) => Promise<void>,
): Promise<{ code: number; reason: string }> {
  // Loaded only here: the other verbs start without it.
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(address, { headers: token ? { authorization: `Bearer ${token}` } : {}, perMessageDeflate: false });
  let shown: Promise<void> = Promise.resolve();
  let waiting = 0;
  let heardAt = clock.monotonic();
  let disarm = () => {};
  const hangUp = () => socket.close(1000);
  const watch = () => {
    disarm = clock.after(PING_MS, () => {
      if (clock.monotonic() - heardAt > SILENCE_MS_MAX) return socket.terminate();
      if (socket.readyState === WebSocket.OPEN) socket.ping();
      watch();
    });
  };
  watch();
  signal.addEventListener('abort', hangUp, { once: true });
  const end = await new Promise<{ code: number; reason: string }>(resolve => {
    socket.on('pong', () => {
      heardAt = clock.monotonic();
    });
    socket.on('message', frame => {
      heardAt = clock.monotonic();
      waiting += 1;
      if (waiting > WAITING_MAX) hangUp();
      else {
        const fact = JSON.parse(String(frame)) as FeedFact;
        shown = shown.then(() => take(fact)).finally(() => (waiting -= 1));
        shown.catch(hangUp);
      }
    });
    // `close` follows, with code and reason.
    socket.on('error', () => {});
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  disarm();
  signal.removeEventListener('abort', hangUp);
  await shown;
  return end;
}
