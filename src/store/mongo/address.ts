/** The address of a database, `mongodb://user:password@one,two,three/database?options`: with its several hosts it is no URL that `URL` would take. */

export interface MongoAddress {
  database: string;
  /** Names of the options it gives, in lower case. */
  options: Set<string>;
  /** Without user, password and options: to be shown. */
  shown: string;
}

/** Throws when it names no database; the driver judges the rest. */
export function readMongoAddress(url: string): MongoAddress {
  const [, scheme, hosts, path, query] = /^(mongodb(?:\+srv)?:\/\/)(?:[^@/?]*@)?([^/?]+)\/([^/?]+)(?:\?(.*))?$/.exec(url) ?? [];
  if (path === undefined) throw new Error('the address of MongoDB must be mongodb://host/database');
  const database = decodeURIComponent(path);
  const options = new Set([...new URLSearchParams(query).keys()].map(name => name.toLowerCase()));
  return { database, options, shown: `${scheme}${hosts}/${database}` };
}
