/**
 * The address of a database, `mongodb://user:password@one,two,three/database?options`. `URL`
 * rejects an address with several hosts.
 */

export interface MongoAddress {
  database: string;
  /** Names of the options it gives, in lower case. */
  options: Set<string>;
  /** For messages: without user, password and options. */
  shown: string;
  /** Longest time of one operation. */
  timeoutMs: number;
}

/** Databases of the server itself. */
const RESERVED = new Set(['admin', 'config', 'local']);
const TIMEOUT_MS = 8_000;
/** Fences of `write-fencing.ts` stay for four times this after a change of owner. */
const TIMEOUT_MS_MAX = 60_000;

/** Throws where it names no database or a wrong `timeoutMS`. The driver checks the rest. */
export function readMongoAddress(url: string): MongoAddress {
  const [, scheme, hosts, path, query] = /^(mongodb(?:\+srv)?:\/\/)(?:[^@/?]*@)?([^/?]+)\/([^/?]+)(?:\?(.*))?$/.exec(url) ?? [];
  if (path === undefined) throw new Error('the address of MongoDB must be mongodb://host/database');
  const database = decodeURIComponent(path);
  const options = new Map([...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value]));
  const shown = `${scheme}${hosts}/${database}`;
  if (RESERVED.has(database)) throw new Error(`${shown} is a database of the server itself; name another one`);
  const timeout = options.get('timeoutms') ?? String(TIMEOUT_MS);
  if (!/^[1-9]\d*$/.test(timeout) || Number(timeout) > TIMEOUT_MS_MAX) {
    throw new Error(`${shown}: timeoutMS is "${timeout}" and must be a whole number from 1 to ${TIMEOUT_MS_MAX}`);
  }
  return { database, options: new Set(options.keys()), shown, timeoutMs: Number(timeout) };
}
