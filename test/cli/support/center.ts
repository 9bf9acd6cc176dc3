/** A center without logic: the test writes the answer to each request. */
import type { ServerWebSocket } from 'bun';

interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: Headers;
  body: unknown;
}
type Reply = unknown | ((asked: Asked) => unknown);

export interface ScriptedCenter {
  url: string;
  /** Everything that was asked, in order. */
  asked: Asked[];
  /** Sockets of `/v1/feed`, in order of their coming, with what they asked for. */
  watchers: { query: Record<string, string>; headers: Headers; socket: ServerWebSocket<unknown> }[];
  /** Resolves with the nth watcher, from 0. */
  watcher(place: number): Promise<ScriptedCenter['watchers'][number]>;
  stop(): Promise<void>;
}

export const error = (status: number, code: string, message: string, field?: string): Response =>
  Response.json({ error: { code, message, ...(field === undefined ? {} : { field }) } }, { status });

/** `replies` by `METHOD /path`; what is not there is a 404. */
export function aCenter(replies: Record<string, Reply> = {}): ScriptedCenter {
  const asked: Asked[] = [];
  const watchers: ScriptedCenter['watchers'] = [];
  const arrivals: (() => void)[] = [];
  const server = Bun.serve<{ query: Record<string, string>; headers: Headers }, never>({
    port: 0,
    hostname: '127.0.0.1',
    development: false,
    async fetch(request, self) {
      const { pathname, searchParams } = new URL(request.url);
      const query = Object.fromEntries(searchParams);
      if (pathname === '/v1/feed' && self.upgrade(request, { data: { query, headers: request.headers } })) return;
      const text = await request.text();
      const one: Asked = {
        method: request.method,
        path: pathname,
        query,
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      asked.push(one);
      const reply = replies[`${request.method} ${pathname}`];
      if (reply === undefined) return error(404, 'notFound', `there is no ${request.method} ${pathname} here`);
      const value: unknown = typeof reply === 'function' ? await reply(one) : reply;
      if (value instanceof Response) return value;
      return value === null ? new Response(null, { status: 204 }) : Response.json(value);
    },
    websocket: {
      open(socket) {
        watchers.push({ ...socket.data, socket });
        for (const arrival of arrivals) arrival();
      },
      message() {},
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    asked,
    watchers,
    watcher: place =>
      new Promise(resolve => {
        const look = () => {
          const watcher = watchers[place];
          if (watcher) resolve(watcher);
        };
        arrivals.push(look);
        look();
      }),
    stop: () => server.stop(true),
  };
}
