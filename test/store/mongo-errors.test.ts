/** Errors of MongoDB as the store reports them. */
import { describe, expect, test } from 'bun:test';
import { asStoreError, refusedWrites } from '../../src/store/mongo/errors.ts';
import { StoreUnavailable } from '../../src/store/port.ts';

const anError = (name: string, more: object = {}) => Object.assign(new Error('words of the driver'), { name, ...more });

describe('an error of MongoDB', () => {
  test.each([
    anError('MongoNetworkError'),
    anError('MongoServerSelectionError'),
    anError('MongoOperationTimeoutError'),
    anError('MongoServerError', { code: 10107 }),
    anError('MongoServerError', { code: 13 }),
    anError('MongoWriteConcernError', { code: 64 }),
    anError('Error', { code: 'ECONNRESET' }),
    anError('PoolClearedOnNetworkError'),
    anError('TimeoutError'),
  ])('an error of MongoDB that says nothing about a document means that the store is not there: %p', error => {
    expect(asStoreError(error)).toBeInstanceOf(StoreUnavailable);
    expect(String(asStoreError(error))).toContain('words of the driver');
  });

  test.each([anError('MongoServerError', { code: 10334 }), anError('MongoInvalidArgumentError'), new TypeError('ours')])(
    'an error of MongoDB about the request stays as it is: %p',
    error => {
      expect(asStoreError(error)).toBe(error);
    },
  );

  test('an error of MongoDB names single losers only when all else is durable', () => {
    const writeErrors = [{ index: 3, code: 11000 }];
    const result = { getWriteConcernError: () => undefined };
    expect(refusedWrites(anError('MongoBulkWriteError', { writeErrors, result }))).toEqual({ refused: [{ index: 3, code: 11000 }] });
    const unsure = { getWriteConcernError: () => ({ code: 64 }) };
    expect(refusedWrites(anError('MongoBulkWriteError', { writeErrors, result: unsure }))).toBeUndefined();
    expect(refusedWrites(anError('MongoBulkWriteError', { writeErrors: [], result }))).toBeUndefined();
  });
});
