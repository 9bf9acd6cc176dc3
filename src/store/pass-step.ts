/** What a step of a deletion by name resolves with. */

/**
 * One step of a pass by name: how many records it deleted, and the name after which the next step
 * continues; null at the end of the pass.
 */
export interface CursorPassStep {
  deleted: number;
  next: string | null;
}
