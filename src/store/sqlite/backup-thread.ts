/**
 * The thread that makes one backup. Copying and verifying a large database would block the center.
 * The thread ends after the backup.
 */
import { type Backup, makeBackup } from './backup.ts';

export type FromBackupThread = { made: Backup } | { failed: string };

interface Scope {
  onmessage: ((event: MessageEvent<Parameters<typeof makeBackup>[0]>) => void) | null;
  postMessage(message: FromBackupThread): void;
}

const scope = self as unknown as Scope;
scope.onmessage = ({ data }) =>
  void makeBackup(data).then(
    made => scope.postMessage({ made }),
    (error: unknown) => scope.postMessage({ failed: error instanceof Error ? error.message : String(error) }),
  );
