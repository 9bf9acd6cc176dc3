/** The address of a MongoDB database. */
import { describe, expect, test } from 'bun:test';
import { readMongoAddress } from '../../src/store/mongo/address.ts';
import { aMongoStore } from '../support/mongo-store.ts';

describe('the address of a MongoDB database', () => {
  test('the address of a MongoDB database is shown without user, password and options', () => {
    const { shown, database, timeoutMs } = readMongoAddress('mongodb://me:secret@one:27017,two/troupe?replicaSet=rs0&timeoutMS=700');
    expect({ shown, database, timeoutMs }).toEqual({ shown: 'mongodb://one:27017,two/troupe', database: 'troupe', timeoutMs: 700 });
  });

  test.each(['admin', 'config', 'local'])('the address of a MongoDB database names no database of the server itself: %s', database => {
    expect(() => readMongoAddress(`mongodb://me:secret@h/${database}`)).toThrow(
      `mongodb://h/${database} is a database of the server itself`,
    );
  });

  test.each(['0', '-1', 'soon', '60001'])('the address of a MongoDB database bounds every wait: timeoutMS=%s', timeout => {
    expect(() => readMongoAddress(`mongodb://h/troupe?timeoutMS=${timeout}`)).toThrow(
      `timeoutMS is "${timeout}" and must be a whole number from 1 to 60000`,
    );
  });

  test.each([
    ['h/troupe?replicaSe=rs0', 'option replicase is not supported'],
    ['me:se%cret@h/troupe', 'URI'],
  ])(
    'the address of a MongoDB database that the driver does not take is refused at once, and named without the password: %s',
    async (rest, reason) => {
      const opened = aMongoStore({ url: `mongodb://${rest}` });
      const error = await opened.catch((error: unknown) => error);
      expect(String(error)).toStartWith('Error: mongodb://h/troupe cannot be opened: ');
      expect(String(error)).toContain(reason);
      expect(String(error)).not.toContain('cret');
    },
  );
});
