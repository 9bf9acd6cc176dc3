/**
 * The operations of `/v1` as calls, typed by their declarations. Every other outcome than success
 * is a Failure with the exit code it means.
 */
import type { AnswerOf, ItemOf, ListName, OperationName, Page, PieceOf, QueryOf, RequestOf, StreamName } from '../protocol/rest/index.ts';
import type { Account } from './account.ts';
import { EXIT, type Exit, Failure } from './failure.ts';

export type Query = Record<string, string | number | boolean | undefined>;

export interface Client {
  account(): Promise<Account>;
  /** The address of the center that serves: of several the first that does. Throws Failure. */
  center(): Promise<string>;
  /** Rejects with Failure. */
  call<N extends OperationName>(operation: N, ...request: Optional<RequestOf<N>>): Promise<AnswerOf<N>>;
  /** The first `limit` of a list, as many pages as that takes. */
  list<N extends ListName>(operation: N, request: RequestOf<N>): Promise<Page<ItemOf<N>>>;
  /** Whether a stream would be given: rejects as every other call does, and takes nothing of it. */
  probe<N extends OperationName>(operation: N, query: QueryOf<N>, accept: string): Promise<void>;
  /**
   * Values of an NDJSON answer as they come. Ends with the answer; rejects with Failure
   * `unreachable` when it breaks off.
   */
  stream<N extends StreamName>(operation: N, request: RequestOf<N>, signal: AbortSignal): AsyncIterable<PieceOf<N>>;
}

/** Most that one page brings. */
const PAGE_MAX = 200;
export const LIST_DEFAULT = 50;
/** Time limit of an answer, ms; a stream only until it begins. */
const ANSWER_MS = 60_000;

/** A request of which every part may be left out may be left out itself. */
type Optional<R> = object extends R ? [request?: R] : [request: R];

/** What the types say of a request, for whoever sends it. */
interface AnyRequest {
  params?: Record<string, string>;
  query?: Query | undefined;
  body?: unknown;
  key?: string | undefined;
}

/** Names may hold what a path may not. */
function targetOf(operation: string, { params = {} }: AnyRequest): { method: string; path: string } {
  const [method = '', path = ''] = operation.split(' ');
  return { method, path: path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? '')) };
}

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

  async function send(operation: string, asked: AnyRequest & { headers?: Record<string, string>; signal?: AbortSignal }) {
    const { method, path } = targetOf(operation, asked);
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

  async function call<N extends OperationName>(operation: N, request: AnyRequest = {}): Promise<AnswerOf<N>> {
    const { key } = request;
    const headers = { accept: 'application/json', ...(key ? { 'idempotency-key': key } : {}) };
    const body = request.body ?? (operation.startsWith('POST ') ? {} : undefined);
    const { response, url } = await send(operation, { ...request, body, headers });
    if (response.status === 204) return undefined as AnswerOf<N>;
    try {
      return (await response.json()) as AnswerOf<N>;
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new Failure(EXIT.failed, `what answers at ${url} is no Troupe center: it sent no JSON`, { cause: error });
      throw unreachable(url, error, signal);
    }
  }

  return {
    account,
    center,
    call: (operation, ...[request]) => call(operation, request as AnyRequest),

    async list<N extends ListName>(operation: N, request: RequestOf<N>) {
      const { query: whole, ...rest }: AnyRequest = request as AnyRequest;
      const { limit: wanted, ...query }: Query = whole ?? {};
      const limit = Number(wanted ?? LIST_DEFAULT);
      const items: ItemOf<N>[] = [];
      const unreadable: Required<Page<ItemOf<N>>>['unreadable'] = [];
      let next: string | null = null;
      do {
        const cursor: Query = next === null ? {} : { cursor: next };
        const paged: Query = { ...query, ...cursor, limit: Math.min(PAGE_MAX, limit - items.length) };
        const page = (await call(operation, { ...rest, query: paged })) as Page<ItemOf<N>>;
        items.push(...page.items);
        unreadable?.push(...(page.unreadable ?? []));
        next = page.next;
      } while (next !== null && items.length < limit);
      return { items, next, ...(unreadable && unreadable.length > 0 ? { unreadable } : {}) };
    },

    async probe(operation, query, accept) {
      const { response } = await send(operation, { query: query as Query, headers: { accept } });
      await response.body?.cancel();
    },

    async *stream<N extends StreamName>(operation: N, request: RequestOf<N>, until: AbortSignal) {
      const headers = { accept: 'application/x-ndjson' };
      const { response, url } = await send(operation, { ...(request as AnyRequest), headers, signal: until });
      let waiting = '';
      try {
        const letters = new TextDecoder();
        for await (const piece of response.body ?? []) {
          waiting += letters.decode(piece as Uint8Array, { stream: true });
          const lines = waiting.split('\n');
          waiting = lines.pop() ?? '';
          for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as PieceOf<N>;
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
