/** The program of a worker thread. */
import { work, type WorkerScope } from './work.ts';

work(self as unknown as WorkerScope);
