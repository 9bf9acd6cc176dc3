/** Where partitions run: in Web Workers (`threads.ts`); tests have threads of their own. */
import type { PartitionRange } from '../../store/port.ts';
import type { FromPartitions, ToPartitions } from './messages.ts';

export interface WorkerHost {
  post(message: ToPartitions): void;
  /** Ends it at once. Resolves when none of its writes can happen any more. */
  end(): Promise<void>;
}

export interface WorkerHosts {
  /** Number of workers. */
  count: number;
  /** Can a host end or hang alone? Then it is pinged. */
  mayDie: boolean;
  open(parts: { partitions: PartitionRange; receive(message: FromPartitions): void; died(reason: string): void }): WorkerHost;
}
