/**
 * Trims, in batches and without touching `rev`, the settled effects of actors that rest; busy ones
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
  /** This actor has settled effects. */
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
  lifeOf,
  trimmed,
  failed,
}: {
  store: Pick<ActorStore, 'settle'>;
  clock: Clock;
  outbox: Outbox;
  /**
   * The life of an actor that rests; null while a turn is under way or when it is not in memory.
   */
  lifeOf(address: string): ActorState | null;
  trimmed(address: string, keys: string[]): void;
  failed(error: unknown): void;
}): Trimmer {
  const noted = new Set<string>();
  let armed: Disarm | null = null;
  let stopped = false;

  function arm(): void {
    if (stopped) return;
    armed ??= clock.after(LIMITS.settleAfterMs, () => {
      armed = null;
      void flush();
    });
  }

  /**
   * One pass after the other: of two side by side the older view of what is owed could be written
   * over the newer one.
   */
  const passing = createMutex();
  const flush = (): Promise<void> => passing(pass);

  async function pass(): Promise<void> {
    const passes: { address: string; life: ActorState; rev: number; keys: string[]; kept: ActorState['owed'] }[] = [];
    for (const address of noted) {
      const settled = outbox.settledOf(address);
      const life = lifeOf(address);
      if (settled.size === 0) noted.delete(address);
      if (settled.size === 0 || !life) continue;
      passes.push({ address, life, rev: life.rev, keys: [...settled], kept: life.owed.filter(each => !settled.has(each.key)) });
      if (passes.length >= LIMITS.commitWrites) break;
    }
    try {
      if (passes.length > 0) {
        await store.settle(passes.map(({ address, rev, kept }) => ({ address, rev, owed: encodePendingEffects(address, kept) })));
        for (const { address, life, rev, keys, kept } of passes) {
          // A turn that began meanwhile trims by itself; only what the store surely has is deleted.
          if (lifeOf(address) !== life || life.rev !== rev) continue;
          life.trim([...kept]);
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
