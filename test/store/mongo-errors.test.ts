import { describe, expect, test } from 'bun:test';
import { asStoreError } from '../../src/store/mongo/errors.ts';
import { StoreUnavailable } from '../../src/store/store.ts';

const named = (name: string, more: Record<string, unknown> = {}) => Object.assign(new Error('why'), { name, ...more });

describe('a failure of MongoDB', () => {
  // The last two are the driver's own, too, without its name: a pool that was cleared under an operation, a clock of its own that ran out.
  test.each(['MongoNetworkError', 'MongoServerSelectionError', 'MongoPoolClearedError', 'PoolClearedOnNetworkError', 'TimeoutError'])(
    '%s means that the store is away',
    name => {
      expect(asStoreError(named(name))).toBeInstanceOf(StoreUnavailable);
    },
  );

  test('of a socket means that the store is away', () => {
    expect(asStoreError(named('Error', { code: 'ECONNRESET' }))).toBeInstanceOf(StoreUnavailable);
  });

  test.each([named('MongoServerError', { code: 121 }), named('MongoInvalidArgumentError'), named('TypeError')])(
    'that blames what was asked stays what it is: %p',
    error => {
      expect(asStoreError(error)).toBe(error);
    },
  );
});
