/** Partitions in Web Workers, the threads that Bun and Deno share. */
import type { WorkerStore } from '../../store/open.ts';
import { type FromWorker, receiveBatch, sendBatch, type ToWorker } from './codec.ts';
import type { FromPartitions, ToPartitions } from './messages.ts';
import type { WorkerHost, WorkerHosts } from './worker-host.ts';

/**
 * The first workers load their program at once, before there is a store; `giveUp` ends those that
 * were never used.
 */
export function inWorkers({
  count,
  owner,
  connect,
  script = new URL('./worker.ts', import.meta.url).href,
}: {
  count: number;
  owner: string;
  connect(): WorkerStore;
  /** The worker's program. Tests give one that can be broken. */
  script?: string;
}): { workerHosts: WorkerHosts; giveUp(): void } {
  const early = Array.from({ length: count }, () => createWorker(script));
  const workerHosts: WorkerHosts = {
    count,
    mayDie: true,
    open({ partitions, receive, died }) {
      const store = connect();
      const { worker, onError } = early.shift() ?? createWorker(script);
      const post = (message: ToWorker, transfer: Transferable[] = []) => worker.postMessage(message, transfer);
      let batch: ToPartitions[] = [];
      let isEnded = false;

      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        for (const message of receiveBatch<FromPartitions>(data)) receive(message);
      };
      onError(message => {
        if (!isEnded) died(`it threw: ${firstLine(message)}`);
      });
      // Bun emits `close` when a worker ends by itself. Elsewhere missed pings reveal it.
      worker.addEventListener('close', () => {
        if (!isEnded) died('it ended by itself');
      });
      post({ type: 'begin', store: store.address, partitions, owner }, store.transfer);

      const host: WorkerHost = {
        post(message) {
          if (batch.push(message) > 1) return;
          queueMicrotask(() => {
            const messages = batch;
            batch = [];
            if (!isEnded) post(sendBatch(messages));
          });
        },
        async end() {
          isEnded = true;
          worker.terminate();
          await store.cut();
        },
      };
      return host;
    },
  };
  return {
    workerHosts,
    giveUp() {
      for (const { worker } of early.splice(0)) worker.terminate();
    },
  };
}

/** Listens at once: an error without a listener would end the process. */
function createWorker(script: string): { worker: Worker; onError(report: (message: string) => void): void } {
  // Bun lets a heap grow by tens of MB before it collects garbage; `smol` collects sooner. Other
  // runtimes ignore it.
  const worker = new Worker(script, { type: 'module', smol: true } as WorkerOptions);
  const errors: string[] = [];
  let report: (message: string) => void = message => void errors.push(message);
  worker.onerror = event => {
    event.preventDefault();
    report(event.message);
  };
  return {
    worker,
    onError(listener) {
      report = listener;
      // Early errors reach the listener after this call returns.
      if (errors.length > 0) queueMicrotask(() => errors.forEach(listener));
    },
  };
}

/** Bun's message contains the source around the error. */
function firstLine(message: string): string {
  const lines = message.split('\n').map(line => line.trim());
  return lines.find(line => /^(error|\w*Error|Uncaught)\b/.test(line)) ?? lines.find(line => line !== '') ?? 'no reason given';
}
