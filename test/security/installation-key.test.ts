/** The key of an installation. */
import { describe, expect, test } from 'bun:test';
import { fingerprintOf, tokenFingerprint } from '../../src/protocol/agent.ts';
import { verifyEd25519 } from '../../src/security/ed25519.ts';
import { openInstallationKey } from '../../src/security/installation-key.ts';
import { createJoinTokens } from '../../src/security/join-tokens.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { countingIds } from '../gateway/support.ts';
import { createManualClock } from '../support/manual-clock.ts';

describe('the key of an installation', () => {
  test('the key of an installation is made once, and the same for every center of the store', async () => {
    const store = createMemoryStore();
    const [first, second] = await Promise.all([openInstallationKey(store), openInstallationKey(store)]);
    const later = await openInstallationKey(store);
    expect([first.fingerprint, second.fingerprint]).toContain(later.fingerprint);
    expect((await openInstallationKey(store)).fingerprint).toBe(later.fingerprint);
    expect(later.fingerprint).toBe(fingerprintOf(later.publicKey));
    expect(verifyEd25519(later.publicKey, 'text', later.sign('text'))).toBe(true);
    expect(verifyEd25519(later.publicKey, 'other', later.sign('text'))).toBe(false);
  });

  test('the key of an installation is not made anew where the stored one is malformed', async () => {
    const store = createMemoryStore();
    await store.putCredential({ kind: 'installationKey', id: 'ed25519', data: { x: 'x' }, expiresAt: null, uses: null });
    const problem = await openInstallationKey(store).catch((error: Error) => error);
    expect(String(problem)).toContain('no Ed25519 key');
  });

  test('the key of an installation is carried by join tokens as a fingerprint, of which nothing is kept with the token', async () => {
    const store = createMemoryStore();
    const { fingerprint } = await openInstallationKey(store);
    const clock = createManualClock();
    const tokens = createJoinTokens({ store, clock, ids: countingIds(), fingerprint: () => fingerprint });
    const { token } = await tokens.createJoinToken({ pool: 'west', uses: 1, expiresInMs: 1_000 });
    expect(tokenFingerprint(token)).toBe(fingerprint);
    // Also by an agent that leaves the fingerprint out.
    expect(await tokens.readJoinToken(token.split('.')[0] ?? '', clock.now())).toEqual({ pool: 'west' });
    expect(await tokens.spendJoinToken(token, clock.now())).toEqual({ pool: 'west' });
    expect(await tokens.spendJoinToken(token, clock.now())).toBeUndefined();
  });
});
