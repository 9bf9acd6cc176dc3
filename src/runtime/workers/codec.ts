/**
 * Messages between the main thread and a worker: batches as JSON, far cheaper than a structured
 * clone. A worker's first message is no batch.
 */
import type { StoreAddress } from '../../store/open.ts';
import type { PartitionRange } from '../../store/port.ts';
import type { FromPartitions, ToPartitions } from './messages.ts';

export interface StartWorker {
  type: 'begin';
  store: StoreAddress;
  partitions: PartitionRange;
  owner: string;
}

export type ToWorker = StartWorker | string;
export type FromWorker = string;

export const sendBatch = (messages: ToPartitions[] | FromPartitions[]): string => JSON.stringify(messages);
export const receiveBatch = <T extends ToPartitions | FromPartitions>(text: string): T[] => JSON.parse(text) as T[];
