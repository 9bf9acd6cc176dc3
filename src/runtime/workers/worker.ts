/** The program of a worker thread. */
import { type WorkerScope, work } from './partition-worker.ts';

work(self as unknown as WorkerScope);
