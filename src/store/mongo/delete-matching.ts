/** Deletes documents of a MongoDB collection, also while the primary changes. */
import type { EntityName, FilterQuery } from '@mikro-orm/core';
import { managerOf, type Orm } from './connection.ts';
import { asked, repeated } from './errors.ts';

/**
 * Resolves with how many it deleted, without those of a first attempt whose response was lost.
 * Idempotent. Throws StoreUnavailable.
 */
export function deleteMatching<Entity extends object>(
  orm: Orm,
  entity: EntityName<Entity>,
  where: FilterQuery<NoInfer<Entity>>,
): Promise<number> {
  return asked(() => repeated(() => managerOf(orm).nativeDelete(entity, where)));
}
