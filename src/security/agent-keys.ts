/** Keys of agents: which host a key belongs to, and which keys never serve again. */
import { z } from 'zod';
import type { CredentialStore } from '../store/port.ts';

/** Kind of the credential records; their id is the public key. */
const AGENT_KEY = 'agentKey';

/** `retired`: its host was retired and deleted; the key never serves again. */
const AgentKey = z.object({
  host: z.string().min(1),
  name: z.string(),
  pool: z.string(),
  retired: z.literal(true).optional().catch(undefined),
});
export type AgentKey = z.output<typeof AgentKey>;

/** The record of a key. Undefined also for a damaged one: its agent may join again by a token. */
export async function readAgentKey(store: Pick<CredentialStore, 'credential'>, publicKey: string): Promise<AgentKey | undefined> {
  return AgentKey.safeParse((await store.credential(AGENT_KEY, publicKey))?.data).data;
}

/** Idempotent. */
export async function writeAgentKey(store: Pick<CredentialStore, 'putCredential'>, publicKey: string, data: AgentKey): Promise<void> {
  await store.putCredential({ kind: AGENT_KEY, id: publicKey, data, expiresAt: null, uses: null });
}
