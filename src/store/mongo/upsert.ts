/** Updates or inserts one document of a MongoDB collection. */
import type { EntityName } from '@mikro-orm/core';
import type { Orm } from './connection.ts';
import { asStoreError, isDuplicate, repeated } from './errors.ts';

/**
 * By `_id`. Of two concurrent inserts one is a duplicate key, and is repeated as an update. Throws
 * StoreUnavailable.
 */
export async function upsert<Entity extends { _id: string }>(
  orm: Orm,
  entity: EntityName<Entity>,
  _id: string,
  change: object,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      const write = () => orm.driver.nativeUpdate(entity, { _id } as never, { ...change } as never, { upsert: true });
      await repeated(write);
      return;
    } catch (error) {
      if (tries > 1 || !isDuplicate(error)) throw asStoreError(error);
    }
  }
}
