/**
 * Ids of records that are derived from their content, so that a write is idempotent. The last two
 * name numbers in `meta`.
 */

/** JSON separates the parts whatever characters they contain. */
export const occurrenceId = (job: string, from: number): string => JSON.stringify([job, from]);
export const outputId = (execution: string, item: number, attempt: number, seq: number): string =>
  JSON.stringify([execution, item, attempt, seq]);
export const credentialId = (kind: string, id: string): string => JSON.stringify([kind, id]);
export const floorOf = (partition: number): string => `floor:${partition}`;
export const keptAfterOf = (job: string): string => `keptAfter:${job}`;
