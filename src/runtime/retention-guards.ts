/** Reads from snapshots whether retention may delete a document. */
import type { Contexts } from '../../actors/types.ts';
import type { ActorDocument } from '../store/port.ts';
import { decodePendingEffects, decodeState } from './document.ts';

/** When this execution ended, epoch ms; null when this program cannot read the document. */
export const endedAt = (document: ActorDocument): number | null => readable(() => contextOf<'execution'>(document).finishedAt);

/**
 * Addresses of executions that this job counts as open, or that a pending message of it goes to (a
 * create event, in the worst case). Null when this program cannot read the document.
 */
export function executionsOf(document: ActorDocument): ReadonlySet<string> | null {
  return readable(() => {
    const recipients = decodePendingEffects(document).flatMap(({ effect }) => (effect.type === 'tell' ? [effect.params.to] : []));
    const open = contextOf<'job'>(document).open.map(({ id }) => `execution/${id}`);
    return new Set([...open, ...recipients.filter(to => to.startsWith('execution/'))]);
  });
}

const contextOf = <K extends 'job' | 'execution'>(document: ActorDocument): Contexts[K] =>
  (decodeState(document).snapshot as { context: Contexts[K] }).context;

function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    // Unreadable, or an upgrade fails on damaged data. Loading the actor reports it; here it only
    // means that nothing is deleted.
    return null;
  }
}
