/** Unique names of enrolled hosts. */
import { describe, expect, test } from 'bun:test';
import { createHostNames } from '../../src/gateway/host-names.ts';
import { createViews } from '../../src/runtime/views.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { StoreUnavailable } from '../../src/store/port.ts';

const fails = () => Promise.reject(new StoreUnavailable('the store is away'));

describe('the name of a host', () => {
  test('the name of a host is the same at the next attempt where an enrolment failed, and another for another agent', async () => {
    const names = createHostNames(createViews({ store: createMemoryStore() }));
    const given: string[] = [];
    const keep = async (name: string) => void given.push(name);
    for (const host of ['1', '2', '3'])
      await expect(names.enroll({ pool: 'default', name: 'web', host, key: 'one' }, fails)).rejects.toThrow('away');
    await names.enroll({ pool: 'default', name: 'web', host: '4', key: 'other' }, keep);
    await names.enroll({ pool: 'default', name: 'web', host: '5', key: 'one' }, keep);
    expect(given).toEqual(['web-2', 'web']);
  });
});
