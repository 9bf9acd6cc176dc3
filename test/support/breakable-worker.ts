/** The program of a worker, with a way to break it. */
import { workerRoles } from '../../src/cluster/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { runPartitionWorker, type WorkerScope } from '../../src/runtime/workers/partition-worker.ts';
import type { PartitionRange } from '../../src/store/port.ts';
import { type Breaking, CHANNEL } from './breaking.ts';

const scope = self as unknown as WorkerScope;
let mine: PartitionRange | undefined;
runPartitionWorker(scope, workerRoles(systemClock));
const serve = scope.onmessage;
scope.onmessage = event => {
  if (typeof event.data !== 'string') mine = event.data.partitions;
  serve?.call(scope, event);
};
new BroadcastChannel(CHANNEL).onmessage = ({ data }: MessageEvent<Breaking>) => {
  if (!mine || data.partition < mine.from || data.partition > mine.to) return;
  if (data.how === 'exit') process.exit(1);
  if (data.how === 'throw') throw new Error('broken on purpose');
  for (;;);
};
