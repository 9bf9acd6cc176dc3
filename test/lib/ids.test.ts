/** What is drawn has its length and alphabet, and is not drawn twice. */
import { describe, expect, test } from 'bun:test';
import { systemIds } from '../../src/lib/ids.ts';

describe('drawn ids', () => {
  test('drawn ids are short texts of digits and small letters', () => {
    for (const length of [1, 8, 40]) expect(systemIds.short(length)).toMatch(new RegExp(`^[0-9a-z]{${length}}$`));
  });

  test('drawn ids have every letter about as often', () => {
    const counts = new Map<string, number>();
    for (const letter of systemIds.short(360_000)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    expect(counts.size).toBe(36);
    // Of 10,000 expected; six standard deviations are 592.
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(600);
  });

  test('drawn UUIDs are of version 4', () => {
    expect(systemIds.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('drawn secrets have as many bytes as asked for, each another', () => {
    const drawn = Array.from({ length: 100 }, () => systemIds.secret(32));
    expect(new Set(drawn).size).toBe(100);
    for (const secret of drawn) expect(Buffer.from(secret, 'base64url').length).toBe(32);
  });

  test('drawn fractions are from 0 up to, but not, 1', () => {
    const drawn = Array.from({ length: 1_000 }, () => systemIds.fraction());
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(1);
    expect(new Set(drawn).size).toBeGreaterThan(990);
  });
});
