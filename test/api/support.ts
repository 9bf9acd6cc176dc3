/** The API on the real runtime, a memory store and a clock moved by hand. */
import { createHash } from 'node:crypto';
import type { Center } from '../../src/api/route-context.ts';
import { surfacesOf } from '../../src/api/surfaces.ts';
import { readConfig } from '../../src/config/center.ts';
import { createApp } from '../../src/http/app.ts';
import { loadSurfaces, type Route } from '../../src/http/route.ts';
import { createAuth } from '../../src/security/authentication.ts';
import type { Passwords } from '../../src/security/passwords.ts';
import { createFileService } from '../../src/services/files/index.ts';
import { createPostings } from '../../src/services/postings.ts';
import type { Store } from '../../src/store/port.ts';
import { createJudge, type Judge } from '../http/openapi-support.ts';
import type { ManualClock } from '../support/manual-clock.ts';
import { aRuntime } from '../support/runtime.ts';

export interface LogEntry {
  level: 'info' | 'warn' | 'error';
  sentence: string;
  fields: Record<string, unknown> | undefined;
}

export function listeningLog() {
  const lines: LogEntry[] = [];
  const say = (level: LogEntry['level']) => (sentence: string, fields?: Record<string, unknown>) =>
    void lines.push({ level, sentence, fields });
  return { lines, info: say('info'), warn: say('warn'), error: say('error') };
}

const cheapPasswords: Passwords = {
  hash: async password => `cheap ${password.length} ${createHash('sha256').update(password).digest('hex')}`,
  verify: async (password, hash) => hash === (await cheapPasswords.hash(password)),
  isHash: text => text.startsWith('cheap '),
  dummyHash: '',
  close() {},
};

/** Of the apis without routes of their own, which all have the same reference. */
let commonJudge: Judge | undefined;
async function judgeOf(center: Center, extra: Route[]): Promise<Judge> {
  if (extra.length > 0) return createJudge(await loadSurfaces(surfacesOf(center, extra)));
  commonJudge ??= createJudge(await loadSurfaces(surfacesOf(center)));
  return commonJudge;
}

export const json = { 'Content-Type': 'application/json' };

export async function anApi({
  env = {},
  extra = [],
  store,
  clock,
  change = {},
  passwords = cheapPasswords,
}: {
  env?: Record<string, string>;
  extra?: Route[];
  store?: Store;
  /** Of an earlier api, with its store: the center starts again. */
  clock?: ManualClock;
  /** Parts of the center that replace the real ones. */
  change?: Partial<Center>;
  /** The real ones cost a tenth of a second each. */
  passwords?: Passwords;
} = {}) {
  const isNew = !(await store?.load('pool/default'));
  const world = await aRuntime({ ...(store ? { store } : {}), ...(clock ? { clock } : {}), pool: isNew });
  const config = readConfig({ env: { TROUPE_AUTH: 'off', ...env }, machine: { cores: 2, timeZone: 'UTC' } });
  const log = listeningLog();
  const auth = createAuth({ config, store: world.store, clock: world.clock, ids: world.ids, log, passwords });
  const { password } = await auth.prepare();
  const limits = config.files;
  const files = createFileService({ files: world.store.files, views: world.views, clock: world.clock, limits, log: () => {} });
  /** Pools whose table is to be checked, null for all. */
  const checked: (string | null)[] = [];
  const postings = createPostings({ ...world, checkTable: pool => checked.push(pool) });
  const center: Center = { ...world, config, auth, files, postings, log, ...change };
  const app = createApp({ ...center, surfaces: surfacesOf(center, extra) });

  const { judge } = await judgeOf(center, extra);

  /**
   * Sends a body as JSON; a text goes as it is. Throws for an answer that the reference does not
   * describe.
   */
  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = json) {
    const init = body === undefined ? { method } : { method, headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
    const response = await app.request(path, { headers, ...init }, { address: '10.0.0.9' });
    const text = await response.text();
    await world.settled();
    const answer = { status: response.status, headers: response.headers, text, body: text === '' ? undefined : parsed(text) };
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    const wrong = judge(method, path, { status: answer.status, type, body: answer.body });
    if (wrong !== undefined) throw new Error(`the reference tells otherwise: ${wrong}`);
    return answer;
  }
  return {
    ...world,
    world,
    app,
    auth,
    center,
    checked,
    postings,
    log,
    password,
    call,
    get: (path: string, headers?: Record<string, string>) => call('GET', path, undefined, headers),
    post: (path: string, body?: unknown, headers?: Record<string, string>) => call('POST', path, body, headers),
    put: (path: string, body?: unknown, headers?: Record<string, string>) => call('PUT', path, body, headers),
    patch: (path: string, body?: unknown, headers?: Record<string, string>) => call('PATCH', path, body, headers),
    del: (path: string, body?: unknown, headers?: Record<string, string>) => call('DELETE', path, body, headers),
  };
}
export type TestApi = Awaited<ReturnType<typeof anApi>>;

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The app and the job of the examples of ElasticJob, with the changes of the test. */
export const seedApp = (difference: Record<string, unknown> = {}) => ({
  appName: 'my_app',
  appURL: 'http://app_host:8080/my-job.tar.gz',
  cpuCount: 0.1,
  memoryMB: 64.0,
  bootstrapScript: 'bin/start.sh',
  appCacheEnable: true,
  eventTraceSamplingCount: 0,
  ...difference,
});
export const seedJob = (difference: Record<string, unknown> = {}) => ({
  appName: 'my_app',
  cpuCount: 0.1,
  memoryMB: 64.0,
  jobExecutionType: 'TRANSIENT',
  jobName: 'my_job',
  cron: '0/5 * * * * ?',
  shardingTotalCount: 5,
  failover: true,
  misfire: true,
  ...difference,
});
