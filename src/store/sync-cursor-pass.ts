/** Deletion name by name, in steps, where the store answers at once; MongoDB's awaits each. */
import type { CursorPassStep } from './pass-step.ts';

/**
 * Name after name goes through `work`, until `limit` names and records are done. A name whose turn
 * used up the room comes again.
 */
export function syncCursorPass(
  next: (behind: string) => string | undefined,
  after: string,
  limit: number,
  work: (name: string, room: number) => number,
): CursorPassStep {
  let deleted = 0;
  let behind = after;
  for (let looked = 1; ; looked++) {
    const name = next(behind);
    if (name === undefined) return { deleted, next: null };
    if (looked + deleted > limit) return { deleted, next: behind };
    const room = limit - deleted;
    const removed = work(name, room);
    deleted += removed;
    if (removed === room) return { deleted, next: behind };
    behind = name;
  }
}
