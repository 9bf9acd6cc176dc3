/** Breaks a worker of a running center by a message to `breakable-worker.ts`. */
export const CHANNEL = 'troupe-test-break';

export interface Breaking {
  /** The worker that serves this partition. */
  partition: number;
  how: 'exit' | 'loop' | 'throw';
}

/** Sends it to all workers of this process. */
export function breakWorker(breaking: Breaking): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(breaking);
  channel.close();
}
