/** Which center, and with which token: flag, environment, then what `troupe login` keeps in the user's configuration folder. */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { EXIT, Failure, wrongUsage } from './failure.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8899';
type Env = Record<string, string | undefined>;

export interface Account {
  /** Without a slash at the end. */
  url: string;
  token: string | undefined;
}

interface Kept {
  /** The center that was logged in to last. */
  current: string | undefined;
  logins: Record<string, { token: string; expiresAt: string }>;
}

/** Throws Failure `usage` for an address that is none. A kept token is only ever shown to the center that gave it. */
export async function accountFor({ env, url }: { env: Env; url: string | undefined }): Promise<Account> {
  const kept = await read(env);
  const named = url || env.TROUPE_URL;
  const at = named ? readUrl(named, url ? '--center' : 'TROUPE_URL') : (kept.current ?? DEFAULT_URL);
  return { url: at, token: env.TROUPE_API_TOKEN || kept.logins[at]?.token };
}

export async function keepLogin(env: Env, url: string, login: { token: string; expiresAt: string }): Promise<string> {
  const kept = await read(env);
  return write(env, { current: url, logins: { ...kept.logins, [url]: login } });
}

/** Forgetting what was never kept is fine. */
export async function forgetLogin(env: Env, url: string): Promise<void> {
  const { current, logins } = await read(env);
  const { [url]: _, ...others } = logins;
  await write(env, { current: current === url ? undefined : current, logins: others });
}

function readUrl(text: string, from: string): string {
  const problem = `${from} is "${text}", but must be an address such as ${DEFAULT_URL}`;
  if (!URL.canParse(text)) throw wrongUsage(problem);
  const { protocol, host, pathname, username } = new URL(text);
  if (!/^https?:$/.test(protocol) || host === '' || username !== '') throw wrongUsage(problem);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}

const fileOf = (env: Env): string => join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'troupe', 'logins.json');

async function read(env: Env): Promise<Kept> {
  const path = fileOf(env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code)))
      return { current: undefined, logins: {} };
    throw new Failure(EXIT.failed, `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  try {
    const { current, logins } = JSON.parse(text) as Partial<Kept>;
    return {
      current: typeof current === 'string' ? current : undefined,
      logins: typeof logins === 'object' && logins !== null ? logins : {},
    };
  } catch (error) {
    throw new Failure(EXIT.failed, `${path} is not what "troupe login" wrote; delete it and log in again`, { cause: error });
  }
}

/** In one step, so that a reader never sees half of it. Returns the path. */
async function write(env: Env, kept: Kept): Promise<string> {
  const path = fileOf(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}`;
  await writeFile(fresh, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  await chmod(fresh, 0o600);
  await rename(fresh, path);
  return path;
}
