/**
 * Ids of records that are derived from their content, so that a write is idempotent. The last two
 * name numbers in `meta`.
 */

/** JSON separates the parts whatever characters they contain. */
export const occurrenceId = (job: string, from: number): string => JSON.stringify([job, from]);
export const outputId = (execution: string, item: number, attempt: number, seq: number): string =>
  JSON.stringify([execution, item, attempt, seq]);
export const credentialId = (kind: string, id: string): string => JSON.stringify([kind, id]);
/** Of a content under a name. */
export const fileId = ({ sha256, name }: { sha256: string; name: string }): string => JSON.stringify([sha256, name]);
export const postedLogId = ({ job, id }: { job: string; id: string }): string => JSON.stringify([job, id]);
export const floorOf = (partition: number): string => `floor:${partition}`;
export const keptAfterOf = (job: string): string => `keptAfter:${job}`;
