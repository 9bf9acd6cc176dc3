/**
 * Ids of records that are named by what they are about, so that writing one twice is nothing; the
 * last two are of numbers in `meta`.
 */

/** JSON keeps the parts apart whatever characters they hold. */
export const occurrenceId = (job: string, from: number): string => JSON.stringify([job, from]);
export const outputId = (execution: string, item: number, attempt: number, seq: number): string =>
  JSON.stringify([execution, item, attempt, seq]);
export const credentialId = (kind: string, id: string): string => JSON.stringify([kind, id]);
export const floorOf = (partition: number): string => `floor:${partition}`;
export const keptAfterOf = (job: string): string => `keptAfter:${job}`;
