/**
 * Center and token of a verb: from flag, environment, then the current center and its login in the
 * user's configuration folder.
 */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { commaList } from '../lib/comma-list.ts';
import { nearest } from '../lib/suggest.ts';
import { EXIT, Failure, wrongUsage } from './failure.ts';

const DEFAULT_URL = 'http://127.0.0.1:8899';
type Env = Record<string, string | undefined>;

export interface Account {
  /** Without a slash at the end. Several centers of one installation have commas between them. */
  url: string;
  token: string | undefined;
}

/** A center, and why it is that one. */
export interface CenterChoice {
  url: string;
  /** The user's name for it, where it has one. */
  name: string | undefined;
  from: 'flag' | 'environment' | 'current' | 'default';
}

interface Login {
  token: string;
  expiresAt: string;
}

export interface StoredLogins {
  /** Address of the current center. */
  current: string | undefined;
  /** Addresses by name. */
  centers: Record<string, string>;
  /** Logins by address. */
  logins: Record<string, Login>;
  /** The address that served last, by all addresses with commas between them. */
  served: Record<string, string>;
}

/**
 * `named`: the value of `--center`, a name or an address. Throws Failure `usage` for an invalid
 * address and for an unknown name.
 */
export async function centerFor({ env, named }: { env: Env; named: string | undefined }): Promise<CenterChoice> {
  const kept = await readLogins(env);
  const given = named || env.TROUPE_URL;
  const url = given ? addressOf(given, named ? '--center' : 'TROUPE_URL', kept) : (kept.current ?? DEFAULT_URL);
  const from = named ? 'flag' : env.TROUPE_URL ? 'environment' : kept.current ? 'current' : 'default';
  return { url, name: nameOf(kept, url), from };
}

/** As `centerFor`, with the token. A stored token is sent only to the center that issued it. */
export async function accountFor({ env, named }: { env: Env; named: string | undefined }): Promise<Account> {
  const { url } = await centerFor({ env, named });
  const kept = await readLogins(env);
  return { url, token: env.TROUPE_API_TOKEN || kept.logins[url]?.token };
}

/** The addresses of an account; the one that served last is the first. */
export async function addressesOf(env: Env, { url }: Account): Promise<string[]> {
  const all = url.split(',');
  if (all.length === 1) return all;
  const last = (await readLogins(env)).served[url];
  return [...all.filter(each => each === last), ...all.filter(each => each !== last)];
}

/** Stores which of several centers serves. Ignores a folder that cannot be written. */
export async function saveServing(env: Env, { url }: Account, serving: string): Promise<void> {
  const kept = await readLogins(env);
  if (kept.served[url] === serving) return;
  await write(env, { ...kept, served: { ...kept.served, [url]: serving } }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error)) throw error;
  });
}

/** The center becomes the current one. Returns the path of the file. */
export async function saveLogin(env: Env, url: string, login: Login): Promise<string> {
  const kept = await readLogins(env);
  return write(env, { ...kept, current: url, logins: { ...kept.logins, [url]: login } });
}

/** Idempotent. A center without a name is not the current one afterwards. */
export async function deleteLogin(env: Env, url: string): Promise<void> {
  const kept = await readLogins(env);
  const { [url]: _, ...logins } = kept.logins;
  const current = kept.current === url && nameOf(kept, url) === undefined ? undefined : kept.current;
  await write(env, { ...kept, current, logins });
}

const CENTER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Names an address, replacing an equal name. The first one becomes the current center. */
export async function addCenter(env: Env, name: string, address: string): Promise<CenterChoice> {
  if (!CENTER_NAME.test(name)) throw wrongUsage(`NAME is "${name}", but must be letters, digits, ".", "_" and "-", at most 100`);
  const kept = await readLogins(env);
  const url = several(address, 'URL', { centers: {} });
  await write(env, { ...kept, current: kept.current ?? url, centers: { ...kept.centers, [name]: url } });
  return { url, name, from: 'current' };
}

/** Makes a center the current one, by name or address. */
export async function switchCenter(env: Env, named: string): Promise<CenterChoice> {
  const kept = await readLogins(env);
  const url = addressOf(named, 'CENTER', kept);
  await write(env, { ...kept, current: url });
  return { url, name: nameOf(kept, url), from: 'current' };
}

/** Removes a name; the login of its center goes with it. */
export async function removeCenter(env: Env, name: string): Promise<void> {
  const kept = await readLogins(env);
  const url = addressOf(name, 'CENTER', kept);
  const { [url]: _, ...logins } = kept.logins;
  const centers = Object.fromEntries(Object.entries(kept.centers).filter(([, address]) => address !== url));
  await write(env, { ...kept, current: kept.current === url ? undefined : kept.current, centers, logins });
}

const nameOf = ({ centers }: StoredLogins, url: string): string | undefined =>
  Object.entries(centers).find(([, address]) => address === url)?.[0];

function addressOf(text: string, from: string, { centers }: Pick<StoredLogins, 'centers'>): string {
  if (Object.hasOwn(centers, text)) return centers[text] as string;
  if (text.includes(',')) return several(text, from, { centers });
  if (text.includes('/')) return readUrl(text, from);
  const meant = nearest(text, Object.keys(centers));
  throw wrongUsage(
    `${from} is "${text}", but must be an address such as ${DEFAULT_URL}, or a name from "troupe centers"${meant ? `; did you mean ${meant}?` : ''}`,
  );
}

/** Addresses of the centers of one installation, each given as address or name. */
const several = (text: string, from: string, kept: Pick<StoredLogins, 'centers'>): string => {
  return [...new Set(commaList(text).map(word => addressOf(word, from, kept)))].join(',');
};

function readUrl(text: string, from: string): string {
  const problem = `${from} is "${text}", but must be an address such as ${DEFAULT_URL}`;
  if (!URL.canParse(text)) throw wrongUsage(problem);
  const { protocol, host, pathname, username } = new URL(text);
  if (!/^https?:$/.test(protocol) || host === '' || username !== '') throw wrongUsage(problem);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
}

const fileOf = (env: Env): string => join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'troupe', 'logins.json');

export async function readLogins(env: Env): Promise<StoredLogins> {
  const path = fileOf(env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code)))
      return { current: undefined, centers: {}, logins: {}, served: {} };
    throw new Failure(EXIT.failed, `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  try {
    const { current, centers, logins, served } = JSON.parse(text) as Partial<StoredLogins>;
    return {
      current: typeof current === 'string' ? current : undefined,
      centers: typeof centers === 'object' && centers !== null ? centers : {},
      logins: typeof logins === 'object' && logins !== null ? logins : {},
      served: typeof served === 'object' && served !== null ? served : {},
    };
  } catch (error) {
    throw new Failure(EXIT.failed, `${path} is not what "troupe login" wrote; delete it and log in again`, { cause: error });
  }
}

/** Replaces the file in one step: a reader never sees a part of it. Returns the path. */
async function write(env: Env, kept: StoredLogins): Promise<string> {
  const path = fileOf(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}`;
  await writeFile(fresh, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  await chmod(fresh, 0o600);
  await rename(fresh, path);
  return path;
}
