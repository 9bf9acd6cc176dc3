/**
 * Opens the database for a thread that reads. Every worker does, so nothing that only the writer
 * needs is imported here.
 */
import type { StoreReads } from '../port.ts';
import { actorReads } from './actors.ts';
import { openReading } from './connections.ts';
import { credentialReads } from './credentials.ts';
import { fileIn } from './database-file.ts';
import { factReads } from './facts.ts';
import { fileReads } from './files.ts';
import { ledgerReads } from './ledger.ts';
import { listReads } from './list.ts';
import { outputReads } from './output.ts';
import { postedLogReads } from './posted-logs.ts';
import { retentionReads } from './retention.ts';

/** Reads of a database that another connection has open for writing. */
export function openSqliteReads(directory: string): { reads: StoreReads; close(): void } {
  const { close, ...reading } = openReading(fileIn(directory));
  return {
    reads: {
      ...actorReads(reading),
      ...listReads(reading),
      ...factReads(reading),
      ...ledgerReads(reading),
      ...outputReads(reading),
      ...credentialReads(reading),
      ...fileReads(reading),
      ...postedLogReads(reading),
      ...retentionReads(reading),
    },
    close,
  };
}
