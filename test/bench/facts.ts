/** A watcher of the center's feed for benches: each fact with its instant of arrival. */
export interface Seen {
  cursor: string;
  type: string;
  address: string;
  /** When the center decided, epoch ms. */
  at: number;
  /** When it arrived, epoch ms. */
  arrived: number;
  data: Record<string, unknown>;
}

export interface Watching {
  /** The newest cursor seen; undefined before the first fact. */
  readonly cursor: string | undefined;
  close(): void;
}

/**
 * Resolves once the feed is open. `kinds` as in the query of `/v1/feed`. A feed that closes by
 * itself ends the bench.
 */
export function watchFacts(
  url: string,
  { kinds, after }: { kinds: string; after?: string | undefined },
  on: (fact: Seen) => void,
): Promise<Watching> {
  const query = new URLSearchParams({ kinds, ...(after === undefined ? {} : { after }) });
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/feed?${query}`);
  let cursor: string | undefined;
  let closing = false;
  return new Promise((resolve, reject) => {
    socket.onopen = () =>
      resolve({
        get cursor() {
          return cursor;
        },
        close() {
          closing = true;
          socket.close();
        },
      });
    socket.onmessage = message => {
      const arrived = Date.now();
      const fact = JSON.parse(String(message.data)) as Omit<Seen, 'at' | 'arrived'> & { at: string };
      if (!fact.cursor) throw new Error(`the feed has lost facts: ${message.data}`);
      cursor = fact.cursor;
      on({ ...fact, at: Date.parse(fact.at), arrived });
    };
    socket.onclose = ({ code, reason }) => {
      if (!closing) reject(new Error(`the feed closed: ${code} ${reason}`));
    };
  });
}

/**
 * Resolves `of(execution)` once its job has the event of its end. Polling would be part of the
 * measurement.
 */
export async function watchFinished(url: string): Promise<{ of(execution: string): Promise<void>; close(): void }> {
  const awaited = new Map<string, () => void>();
  const early = new Set<string>();
  const watching = await watchFacts(url, { kinds: 'job.finished' }, ({ data }) => {
    const execution = String(data.execution);
    const resolve = awaited.get(execution);
    if (resolve) awaited.delete(execution);
    else early.add(execution);
    resolve?.();
  });
  return {
    of: execution =>
      new Promise(resolve => {
        if (early.delete(execution)) resolve();
        else awaited.set(execution, resolve);
      }),
    close: watching.close,
  };
}
