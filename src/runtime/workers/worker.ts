/** The program of a worker thread: its composition root. */
import { workerRoles } from '../../cluster/index.ts';
import { systemClock } from '../../lib/clock.ts';
import { type WorkerScope, work } from './partition-worker.ts';

work(self as unknown as WorkerScope, workerRoles(systemClock));
