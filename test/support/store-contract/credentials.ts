/** Store contract: credentials. */
import { describe, expect, test } from 'bun:test';
import { aCredential } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

export function credentialsContract(underTest: StoreUnderTest): void {
  describe('credentials', () => {
    test('credentials are kept by kind and id, replaced and removed, across reopening', async () => {
      const token = aCredential({ id: 'b', data: { nested: { on: true } }, expiresAt: 1_800_000_000_000, uses: 3 });
      await underTest.store.putCredential(aCredential({ id: 'b' }));
      await underTest.store.putCredential(token);
      await underTest.store.putCredential(aCredential({ id: 'a' }));
      await underTest.store.putCredential(aCredential({ kind: 'user', id: 'b' }));
      await underTest.reopen();
      expect(await underTest.store.credential('joinToken', 'b')).toEqual(token);
      expect(await underTest.store.credentials('joinToken')).toEqual([aCredential({ id: 'a' }), token]);
      await underTest.store.removeCredential('joinToken', 'b');
      await underTest.store.removeCredential('joinToken', 'b');
      expect(await underTest.store.credential('joinToken', 'b')).toBeUndefined();
      expect(await underTest.store.credentials('user')).toEqual([aCredential({ kind: 'user', id: 'b' })]);
    });

    test('credentials keep kinds and ids apart that join to the same text', async () => {
      await underTest.store.putCredential(aCredential({ kind: 'a', id: 'b:c' }));
      await underTest.store.putCredential(aCredential({ kind: 'a:b', id: 'c' }));
      expect(await underTest.store.credential('a', 'b:c')).toEqual(aCredential({ kind: 'a', id: 'b:c' }));
      expect(await underTest.store.credential('a:b', 'c')).toEqual(aCredential({ kind: 'a:b', id: 'c' }));
    });

    test('credentials are spent as often as they have uses, however many ask at once', async () => {
      await underTest.store.putCredential(aCredential({ uses: 3 }));
      const spent = await Promise.all(Array.from({ length: 10 }, () => underTest.store.spend('joinToken', 'hash-1', 0)));
      expect(spent.filter(Boolean)).toHaveLength(3);
      await underTest.reopen();
      expect(await underTest.store.spend('joinToken', 'hash-1', 0)).toBe(false);
      expect((await underTest.store.credential('joinToken', 'hash-1'))?.uses).toBe(0);
    });

    test('credentials without a number of uses are spent forever', async () => {
      await underTest.store.putCredential(aCredential({ uses: null }));
      for (let i = 0; i < 5; i++) expect(await underTest.store.spend('joinToken', 'hash-1', 0)).toBe(true);
      expect(await underTest.store.credential('joinToken', 'hash-1')).toEqual(aCredential({ uses: null }));
    });

    test('credentials are not spent once expired, nor when unknown', async () => {
      await underTest.store.putCredential(aCredential({ uses: 1, expiresAt: 1_000 }));
      expect(await underTest.store.spend('joinToken', 'hash-1', 1_000)).toBe(false);
      expect(await underTest.store.spend('joinToken', 'hash-2', 0)).toBe(false);
      expect(await underTest.store.spend('user', 'hash-1', 0)).toBe(false);
      expect(await underTest.store.spend('joinToken', 'hash-1', 999)).toBe(true);
    });

    test('credentials are swept once they expired', async () => {
      await underTest.store.putCredential(aCredential({ id: 'old', expiresAt: 999 }));
      await underTest.store.putCredential(aCredential({ id: 'now', expiresAt: 1_000 }));
      await underTest.store.putCredential(aCredential({ id: 'never' }));
      expect(await underTest.store.sweepCredentials(1_000)).toBe(1);
      expect(await underTest.store.sweepCredentials(1_000)).toBe(0);
      expect((await underTest.store.credentials('joinToken')).map(record => record.id)).toEqual(['never', 'now']);
    });

    test('credentials are handed out as copies', async () => {
      const given = aCredential({ data: { list: [1] } });
      await underTest.store.putCredential(given);
      Object.assign(given.data, { spoiled: true });
      Object.assign((await underTest.store.credential('joinToken', 'hash-1'))?.data ?? {}, { spoiled: true });
      expect(await underTest.store.credential('joinToken', 'hash-1')).toEqual(aCredential({ data: { list: [1] } }));
    });
  });
}
