/** Commands to pools. */
import type { PoolConfig } from '../../../actors/pool/types.ts';
import { Problem } from '../../http/errors.ts';
import type { User } from '../../security/can.ts';
import { askedBy } from '../asked-by.ts';
import { all } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { Center } from '../route-context.ts';
import { createOnce } from './create-once.ts';

/** `user`: who asks for it. Throws Refused for a name in use. */
export async function createPool(
  center: Center,
  config: PoolConfig,
  { claim, user }: { claim: string | undefined; user: User | undefined },
): Promise<void> {
  const address = `pool/${config.name}` as const;
  await createOnce(center, address, claim, claimed =>
    center.runtime.ask(address, { type: 'pool.create', config, ...claimed, ...askedBy(user) }),
  );
}

/**
 * Throws Problem `notFound`, `conflict` for the default pool and for a pool with jobs, and Refused
 * for a pool with hosts.
 */
export async function deletePool({ views, config, runtime }: Center, name: string): Promise<void> {
  const { address } = await oneOrNearest(views, 'pool', name);
  if (name === config.pool) throw new Problem('conflict', `pool ${name} is the default pool of this center and cannot be deleted`);
  const jobs = await all(views, 'job', { order: 'name', pool: name });
  if (jobs.length > 0) {
    const count = `${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'}`;
    throw new Problem(
      'conflict',
      `pool ${name} still has ${count}, such as ${jobs[0]?.context.config.name}; move or deregister ${jobs.length === 1 ? 'it' : 'them'} first`,
    );
  }
  await runtime.ask(address, { type: 'pool.delete' });
}
