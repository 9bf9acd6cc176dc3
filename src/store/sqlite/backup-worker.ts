/** Makes a backup in a thread of its own. */

import type { Backup, makeBackup } from './backup.ts';
import type { FromBackupThread } from './backup-thread.ts';

/** As `makeBackup`. An abort ends the thread and leaves at most a `.partial` file. */
export function makeBackupAside(order: Parameters<typeof makeBackup>[0], signal: AbortSignal): Promise<Backup> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./backup-thread.ts', import.meta.url).href, { type: 'module' });
    const end = () => {
      signal.removeEventListener('abort', stop);
      worker.terminate();
    };
    const stop = () => {
      end();
      reject(new Error('the center stops'));
    };
    signal.addEventListener('abort', stop, { once: true });
    worker.onmessage = ({ data }: MessageEvent<FromBackupThread>) => {
      end();
      if ('made' in data) resolve(data.made);
      else reject(new Error(data.failed));
    };
    worker.onerror = event => {
      event.preventDefault();
      end();
      reject(new Error(`the thread that makes the backup ended: ${event.message}`));
    };
    worker.postMessage(order);
  });
}
