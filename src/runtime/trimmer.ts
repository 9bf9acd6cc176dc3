/**
 * Trims, in batches and without touching `rev`, the acknowledged effects of idle actors; busy ones
 * trim theirs with their next commit.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import { createMutex } from '../lib/keyed-mutex.ts';
import type { ActorStore } from '../store/port.ts';
import type { ActorState } from './actor-state.ts';
import { encodePendingEffects } from './document.ts';
import { LIMITS } from './limits.ts';
import type { Outbox } from './outbox.ts';

export interface Trimmer {
  /** This actor has acknowledged effects. */
  note(address: string): void;
  /** One pass now. */
  flush(): Promise<void>;
  /** No further pass by itself. */
  stop(): void;
}

export function createTrimmer({
  store,
  clock,
  outbox,
  stateOf,
  trimmed,
  failed,
}: {
  store: Pick<ActorStore, 'acknowledge'>;
  clock: Clock;
  outbox: Outbox;
  /** The state of an idle actor; null while a turn is running or when it is not in memory. */
  stateOf(address: string): ActorState | null;
  trimmed(address: string, keys: string[]): void;
  failed(error: unknown): void;
}): Trimmer {
  const noted = new Set<string>();
  let armed: Disarm | null = null;
  let stopped = false;

  function arm(): void {
    if (stopped) return;
    armed ??= clock.after(LIMITS.trimAfterMs, () => {
      armed = null;
      void flush();
    });
  }

  /**
   * Serialised: of two concurrent passes the one with the older pending effects could overwrite the
   * newer.
   */
  const passing = createMutex();
  const flush = (): Promise<void> => passing(pass);

  async function pass(): Promise<void> {
    const passes: { address: string; state: ActorState; rev: number; keys: string[]; kept: ActorState['pendingEffects'] }[] = [];
    for (const address of noted) {
      const acknowledged = outbox.acknowledgedOf(address);
      const state = stateOf(address);
      if (acknowledged.size === 0) noted.delete(address);
      if (acknowledged.size === 0 || !state) continue;
      passes.push({
        address,
        state,
        rev: state.rev,
        keys: [...acknowledged],
        kept: state.pendingEffects.filter(each => !acknowledged.has(each.key)),
      });
      if (passes.length >= LIMITS.commitWrites) break;
    }
    try {
      if (passes.length > 0) {
        await store.acknowledge(
          passes.map(({ address, rev, kept }) => ({ address, rev, pendingEffects: encodePendingEffects(address, kept) })),
        );
        for (const { address, state, rev, keys, kept } of passes) {
          // A turn that began meanwhile trims by itself; only effects that the store certainly has
          // are deleted.
          if (stateOf(address) !== state || state.rev !== rev) continue;
          state.trim([...kept]);
          trimmed(address, keys);
        }
      }
    } catch (error) {
      failed(error);
    }
    if (noted.size > 0) arm();
  }

  return {
    note(address) {
      noted.add(address);
      arm();
    },
    flush,
    stop() {
      stopped = true;
      armed?.();
    },
  };
}
