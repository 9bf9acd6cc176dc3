/** The program of a worker thread: its composition root. */
import { workerRoles } from '../../cluster/index.ts';
import { systemClock } from '../../lib/clock.ts';
import { trimHeap } from '../../lib/heap.ts';
import { runPartitionWorker, type WorkerScope } from './partition-worker.ts';

trimHeap(systemClock);
runPartitionWorker(self as unknown as WorkerScope, workerRoles(systemClock));
