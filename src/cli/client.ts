/**
 * The operations of `/v1` as calls, typed by their declarations. Every other outcome than success
 * is a Failure with the exit code it means.
 */
import type { AnswerOf, ItemOf, ListName, OperationName, Page, PieceOf, QueryOf, RequestOf, StreamName } from '../protocol/rest/index.ts';
import type { Account } from './account.ts';
import { EXIT, Failure } from './failure.ts';
import { failureOf, RESPONSE_MS, unreachable } from './response-failure.ts';
import { createServingCenter, type ServingCenter } from './serving-center.ts';

export type Query = Record<string, string | number | boolean | undefined>;

export interface Client {
  account(): Promise<Account>;
  /** The address of the center that serves: of several the first that does. Throws Failure. */
  center(): Promise<string>;
  /** Rejects with Failure. */
  call<N extends OperationName>(operation: N, ...request: Optional<RequestOf<N>>): Promise<AnswerOf<N>>;
  /** The first `limit` items of a list, from as many pages as needed. */
  list<N extends ListName>(operation: N, request: RequestOf<N>): Promise<Page<ItemOf<N>>>;
  /** A request or an answer that is no JSON. The timeout is of each wait for an answer. */
  bytes(operation: FileOperation, request: BytesRequest): Promise<Response>;
  /** Bytes of this content that the center has, of an incomplete upload too. */
  uploaded(sha256: string): Promise<number>;
  /**
   * A request of the Cloudtask surface: `GET jobs/1`. A refusal of what it sends (400, 404, 409,
   * 413) is an answer. Rejects with Failure for any other.
   */
  cloudtask(request: string, body?: unknown): Promise<CloudtaskAnswer>;
  /** Whether the center accepts a stream: rejects as every other call, reads nothing of it. */
  probe<N extends OperationName>(operation: N, query: QueryOf<N>, accept: string): Promise<void>;
  /**
   * Values of an NDJSON response as they arrive. Ends with the response; rejects with Failure
   * `unreachable` when it is incomplete.
   */
  stream<N extends StreamName>(operation: N, request: RequestOf<N>, signal: AbortSignal): AsyncIterable<PieceOf<N>>;
}

export interface CloudtaskAnswer {
  status: number;
  /** Undefined of a refusal. */
  data: unknown;
  /** The sentence of a refusal; else ''. */
  error: string;
}

type FileOperation = 'GET /v1/files/:digest' | 'PUT /v1/files/:digest';
interface BytesRequest {
  params: { digest: string };
  query?: Query;
  headers?: Record<string, string>;
  body?: Uint8Array;
}

/** Largest page. */
const PAGE_MAX = 200;
export const LIST_DEFAULT = 50;

/** A request is optional when all of its parts are. */
type Optional<R> = object extends R ? [request?: R] : [request: R];

/** A request of any operation. */
interface AnyRequest {
  params?: Record<string, string>;
  query?: Query | undefined;
  body?: unknown;
  key?: string | undefined;
}

/** Encodes the parameters: names may contain characters that a path may not. */
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
  // Read when first needed, and once: all requests of a verb have the same account.
  let found: Promise<Account> | undefined;
  const account = () => {
    found ??= find();
    return found;
  };
  const center = createServingCenter({ account, signal, addresses, serves });
  const send = createSend({ account, center, signal });

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
        throw new Failure(EXIT.failed, `the server at ${url} is no Troupe center: it sent no JSON`, { cause: error });
      throw unreachable(url, error, signal);
    }
  }

  return {
    account,
    center: center.url,
    call: (operation, ...[request]) => call(operation, request as AnyRequest),

    list<N extends ListName>(operation: N, request: RequestOf<N>) {
      const { query = {}, ...rest }: AnyRequest = request as AnyRequest;
      return collectPages<ItemOf<N>>(query, async page => (await call(operation, { ...rest, query: page })) as Page<ItemOf<N>>);
    },

    async bytes(operation, { body, headers = {}, ...request }) {
      const { response } = await send(operation, { ...request, headers, ...(body ? { bytes: body } : { signal }) });
      return response;
    },

    async uploaded(digest) {
      const { response } = await send('HEAD /v1/files/:digest', { params: { digest }, accepts: [404] });
      return Number(response.headers.get('upload-offset') ?? 0);
    },

    async cloudtask(request, body) {
      const [method, path] = request.split(' ');
      const { response, url } = await send(`${method} /cloudtask/v2/${path}`, { body, accepts: [400, 404, 409, 413] });
      const text = await response.text();
      try {
        const { data, error = '' } = JSON.parse(text) as { data?: unknown; error?: string };
        return { status: response.status, data, error };
      } catch (cause) {
        throw new Failure(EXIT.failed, `the server at ${url} is no Troupe center: it sent no JSON`, { cause });
      }
    },

    async probe(operation, query, accept) {
      const { response } = await send(operation, { query: query as Query, headers: { accept } });
      await response.body?.cancel();
    },

    async *stream<N extends StreamName>(operation: N, request: RequestOf<N>, until: AbortSignal) {
      const headers = { accept: 'application/x-ndjson' };
      const { response, url } = await send(operation, { ...(request as AnyRequest), headers, signal: until });
      yield* readPieces<PieceOf<N>>(response, url, until);
    },
  };
}

interface SentRequest extends AnyRequest {
  headers?: Record<string, string>;
  /** Default: RESPONSE_MS. */
  signal?: AbortSignal;
  /** In place of a JSON body. */
  bytes?: Uint8Array;
  /** Statuses that are no failure. */
  accepts?: readonly number[];
}

/** Sends a request to the center that serves. Rejects with Failure for all but success. */
function createSend({ account, center, signal }: { account: Client['account']; center: ServingCenter; signal: AbortSignal }) {
  return async (operation: string, asked: SentRequest) => {
    const { method, path } = targetOf(operation, asked);
    const { token } = await account();
    const url = await center.url();
    const headers = new Headers(asked.headers);
    if (token) headers.set('authorization', `Bearer ${token}`);
    if (asked.body !== undefined) headers.set('content-type', 'application/json');
    const init: RequestInit = {
      method,
      headers,
      redirect: 'error',
      signal: asked.signal ?? AbortSignal.any([signal, AbortSignal.timeout(RESPONSE_MS)]),
    };
    if (asked.bytes !== undefined) init.body = asked.bytes as Uint8Array<ArrayBuffer>;
    else if (asked.body !== undefined) init.body = JSON.stringify(asked.body);
    let response: Response;
    try {
      response = await fetch(`${url}${path}${queryText(asked.query)}`, init);
    } catch (error) {
      center.lookAgain();
      throw unreachable(url, error, signal);
    }
    if (response.status === 503) center.lookAgain();
    if (!response.ok && !asked.accepts?.includes(response.status)) throw await failureOf(response, url);
    return { response, url };
  };
}

/** Reads pages until `limit` items are there, or no page is left. */
async function collectPages<Item>({ limit: wanted, ...query }: Query, read: (query: Query) => Promise<Page<Item>>): Promise<Page<Item>> {
  const limit = Number(wanted ?? LIST_DEFAULT);
  const items: Item[] = [];
  const unreadable: Required<Page<Item>>['unreadable'] = [];
  let next: string | null = null;
  do {
    const cursor: Query = next === null ? {} : { cursor: next };
    const page: Page<Item> = await read({ ...query, ...cursor, limit: Math.min(PAGE_MAX, limit - items.length) });
    items.push(...page.items);
    unreadable?.push(...(page.unreadable ?? []));
    next = page.next;
  } while (next !== null && items.length < limit);
  return { items, next, ...(unreadable && unreadable.length > 0 ? { unreadable } : {}) };
}

/** The values of an NDJSON answer. Rejects with Failure where it breaks off. */
async function* readPieces<Piece>(response: Response, url: string, until: AbortSignal): AsyncGenerator<Piece> {
  let waiting = '';
  try {
    const letters = new TextDecoder();
    for await (const piece of response.body ?? []) {
      waiting += letters.decode(piece as Uint8Array, { stream: true });
      const lines = waiting.split('\n');
      waiting = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as Piece;
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure(EXIT.failed, `${url} sent a line that is no JSON`, { cause: error });
    throw unreachable(url, error, until);
  }
}

export function queryText(query: Query = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}
