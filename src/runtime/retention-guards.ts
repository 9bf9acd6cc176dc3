/** What retention must know of documents before it forgets one, read from their snapshots. */
import type { Contexts } from '../../actors/types.ts';
import type { ActorDocument } from '../store/port.ts';
import { decodePendingEffects, decodeState } from './document.ts';

/** When this execution ended, epoch ms; null when this program cannot tell. */
export const endedAt = (document: ActorDocument): number | null => readable(() => contextOf<'execution'>(document).finishedAt);

/**
 * Addresses of executions that the end of has not reached this job yet, or that it still has
 * something to say to (to be born, in the worst case). Null when this program cannot tell.
 */
export function heldBy(document: ActorDocument): ReadonlySet<string> | null {
  return readable(() => {
    const told = decodePendingEffects(document).flatMap(({ effect }) => (effect.type === 'tell' ? [effect.params.to] : []));
    const open = contextOf<'job'>(document).open.map(({ id }) => `execution/${id}`);
    return new Set([...open, ...told.filter(to => to.startsWith('execution/'))]);
  });
}

const contextOf = <K extends 'job' | 'execution'>(document: ActorDocument): Contexts[K] =>
  (decodeState(document).snapshot as { context: Contexts[K] }).context;

function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    // Unreadable, or an upgrade stumbles over what is damaged. Whoever wakes it says so; here it
    // only means that nothing is removed.
    return null;
  }
}
