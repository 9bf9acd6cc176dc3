/** The program of a worker thread. */
import { type WorkerScope, work } from './work.ts';

work(self as unknown as WorkerScope);
