/**
 * The `/v1` surface as calls. Answers are taken by their declared type; every other outcome is a
 * Failure with the exit code it means.
 */
import type { Account } from './account.ts';
import { EXIT, type Exit, Failure } from './failure.ts';
import type { Page } from './surface.ts';

export type Query = Record<string, string | number | boolean | undefined>;

export interface Client {
  account(): Promise<Account>;
  /** The address of the center that serves: of several the first that does. Throws Failure. */
  center(): Promise<string>;
  get<T>(path: string, query?: Query): Promise<T>;
  post<T>(path: string, body?: unknown, more?: { key?: string | undefined; query?: Query }): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  delete(path: string): Promise<void>;
  /** The first `limit` of a list, as many pages as that takes. */
  list<T>(path: string, query: Query & { limit?: number | undefined }): Promise<Page<T>>;
  /** Whether a stream would be given: rejects as every other call does, and takes nothing of it. */
  probe(path: string, query: Query, accept: string): Promise<void>;
  /**
   * Values of an NDJSON answer as they come. Ends with the answer; rejects with Failure
   * `unreachable` when it breaks off.
   */
  stream<T>(path: string, query: Query, signal: AbortSignal): AsyncIterable<T>;
}

/** Most that one page brings. */
const PAGE_MAX = 200;
export const LIST_DEFAULT = 50;
/** Time limit of an answer, ms; a stream only until it begins. */
const ANSWER_MS = 60_000;

/** One segment of a path: names may hold what a path may not. */
export const segment = (name: string): string => encodeURIComponent(name);

export function createClient({
  account: find,
  signal,
  addresses = async ({ url }) => url.split(','),
  serves = async () => {},
}: {
  account: () => Promise<Account>;
  signal: AbortSignal;
  /** In the order in which they are tried. */
  addresses?(account: Account): Promise<string[]>;
  /** Called with the one of several centers that serves. */
  serves?(account: Account, url: string): Promise<void>;
}): Client {
  // Looked up when first needed, and once: a verb stays who it is.
  let found: Promise<Account> | undefined;
  const account = () => {
    found ??= find();
    return found;
  };
  let serving: Promise<string> | undefined;
  const center = () => {
    serving ??= account().then(async one => {
      const all = await addresses(one);
      const url = await firstServing(all, signal);
      if (all.length > 1) await serves(one, url);
      return url;
    });
    serving.catch(lookAgain);
    return serving;
  };
  /** Another one may serve by now. */
  const lookAgain = () => {
    serving = undefined;
  };

  async function call(
    method: string,
    path: string,
    asked: { query?: Query | undefined; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal },
  ) {
    const { token } = await account();
    const url = await center();
    const headers = new Headers(asked.headers);
    if (token) headers.set('authorization', `Bearer ${token}`);
    if (asked.body !== undefined) headers.set('content-type', 'application/json');
    const init: RequestInit = {
      method,
      headers,
      redirect: 'error',
      signal: asked.signal ?? AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    };
    if (asked.body !== undefined) init.body = JSON.stringify(asked.body);
    let response: Response;
    try {
      response = await fetch(`${url}${path}${queryText(asked.query)}`, init);
    } catch (error) {
      lookAgain();
      throw unreachable(url, error, signal);
    }
    if (response.status === 503) lookAgain();
    if (!response.ok) throw await failureOf(response, url);
    return { response, url };
  }

  async function json<T>(method: string, path: string, asked: Parameters<typeof call>[2]): Promise<T> {
    const { response, url } = await call(method, path, { ...asked, headers: { accept: 'application/json', ...asked.headers } });
    if (response.status === 204) return undefined as T;
    try {
      return (await response.json()) as T;
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new Failure(EXIT.failed, `what answers at ${url} is no Troupe center: it sent no JSON`, { cause: error });
      throw unreachable(url, error, signal);
    }
  }

  const get = <T>(path: string, query?: Query) => json<T>('GET', path, { query });

  return {
    account,
    center,
    get,
    post: (path, body, more) =>
      json('POST', path, { body: body ?? {}, query: more?.query, ...(more?.key ? { headers: { 'idempotency-key': more.key } } : {}) }),
    patch: (path, body) => json('PATCH', path, { body }),
    delete: path => json('DELETE', path, {}),

    async list<T>(path: string, { limit = LIST_DEFAULT, ...query }: Query & { limit?: number | undefined }) {
      const items: T[] = [];
      const unreadable: Required<Page<T>>['unreadable'] = [];
      let next: string | null = null;
      do {
        const cursor: Query = next === null ? {} : { cursor: next };
        const page: Page<T> = await get<Page<T>>(path, { ...query, ...cursor, limit: Math.min(PAGE_MAX, limit - items.length) });
        items.push(...page.items);
        unreadable.push(...(page.unreadable ?? []));
        next = page.next;
      } while (next !== null && items.length < limit);
      return { items, next, ...(unreadable.length > 0 ? { unreadable } : {}) };
    },

    async probe(path, query, accept) {
      const { response } = await call('GET', path, { query, headers: { accept } });
      await response.body?.cancel();
    },

    async *stream<T>(path: string, query: Query, until: AbortSignal) {
      const { response, url } = await call('GET', path, { query, headers: { accept: 'application/x-ndjson' }, signal: until });
      let waiting = '';
      try {
        const letters = new TextDecoder();
        for await (const piece of response.body ?? []) {
          waiting += letters.decode(piece as Uint8Array, { stream: true });
          const lines = waiting.split('\n');
          waiting = lines.pop() ?? '';
          for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as T;
        }
      } catch (error) {
        if (error instanceof SyntaxError) throw new Failure(EXIT.failed, `${url} sent a line that is no JSON`, { cause: error });
        throw unreachable(url, error, until);
      }
    },
  };
}

/** Time limit of the question whether a center serves, ms. */
const LOOK_MS = 3_000;

/**
 * The first that is ready; else the first that answers and is no standby. A request is sent to one
 * center alone: what an answer that did not come has done is not known.
 */
async function firstServing(urls: readonly string[], signal: AbortSignal): Promise<string> {
  const [only] = urls;
  if (only !== undefined && urls.length === 1) return only;
  let unready: string | undefined;
  const reasons: string[] = [];
  for (const url of urls) {
    try {
      const until = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
      const response = await fetch(`${url}/v1/ready`, { redirect: 'error', signal: until });
      if (response.ok) return url;
      const { code, message } = errorIn(await response.text());
      if (code === 'standby') reasons.push(`${url} is a ${message}`);
      else unready ??= url;
    } catch (error) {
      if (signal.aborted) throw unreachable(url, error, signal);
      reasons.push(`${url} cannot be reached`);
    }
  }
  if (unready !== undefined) return unready;
  throw new Failure(EXIT.unreachable, `no center serves: ${reasons.join(', ')}`);
}

export function queryText(query: Query = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

const EXIT_OF: Record<number, Exit> = {
  400: EXIT.usage,
  413: EXIT.usage,
  415: EXIT.usage,
  401: EXIT.refused,
  403: EXIT.refused,
  409: EXIT.refused,
  421: EXIT.refused,
  429: EXIT.refused,
  503: EXIT.unreachable,
};

async function failureOf(response: Response, url: string): Promise<Failure> {
  const text = await response.text().catch(() => '');
  const exit = EXIT_OF[response.status] ?? EXIT.failed;
  const { code, message, field } = errorIn(text);
  if (response.status === 401)
    return new Failure(exit, `${url} does not know you: "troupe login" gives a token, or set TROUPE_API_TOKEN`, { code: 'unauthorized' });
  if (!message) return new Failure(exit, `${url} answered ${response.status} and did not say why`, { code: 'failed' });
  return new Failure(exit, field && !message.includes(field) ? `${field}: ${message}` : message, { code: code ?? 'failed', field });
}

function errorIn(text: string): { code?: string; message?: string; field?: string } {
  try {
    const body = JSON.parse(text) as { error?: { code?: string; message?: string; field?: string } } | null;
    return typeof body?.error === 'object' && body.error !== null ? body.error : {};
  } catch {
    // Not one of ours, a proxy's page perhaps.
    return {};
  }
}

function unreachable(url: string, error: unknown, signal: AbortSignal): Failure {
  if (signal.aborted) return new Failure(EXIT.failed, `stopped by ${String(signal.reason)}`, { code: 'stopped', cause: error });
  const why = error instanceof Error && error.name === 'TimeoutError' ? `no answer within ${ANSWER_MS / 1000} s` : 'nobody answers there';
  return new Failure(EXIT.unreachable, `the center at ${url} cannot be reached: ${why}; TROUPE_URL or --center names another`, {
    cause: error,
  });
}
