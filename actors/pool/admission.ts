/**
 * Which hosts a list of servers names: by address, by name, or by the name of the machine, names in
 * any case. Lists of pools and of jobs are read alike.
 */

/** What a list of servers may name a host by. */
export interface NamedHost {
  name: string;
  /** Of the machine in the network. */
  hostname: string;
  /** From which its agent dials. */
  address: string;
}

/** Whether this list names a host. An empty list names every host. */
export function namedBy(servers: readonly string[]): (host: NamedHost) => boolean {
  if (servers.length === 0) return () => true;
  const named = new Set(servers.map(server => server.toLowerCase()));
  return ({ name, hostname, address }) => [name, hostname, address].some(each => named.has(each.toLowerCase()));
}
