/** Keeps contents from being removed while a job or an app that names them is being stored. */
import { FileRefused } from '../../store/file-port.ts';

export function createNamingGuard() {
  /** Content -> names of it that are being stored. */
  const namings = new Map<string, number>();
  const removals = new Map<string, Promise<void>>();
  const count = (contents: readonly string[], by: number) => {
    for (const sha256 of contents) {
      const left = (namings.get(sha256) ?? 0) + by;
      if (left === 0) namings.delete(sha256);
      else namings.set(sha256, left);
    }
  };

  return {
    isNaming: (sha256: string): boolean => namings.has(sha256),
    async naming<T>(contents: readonly string[], work: () => Promise<T>): Promise<T> {
      for (;;) {
        const removal = contents.map(sha256 => removals.get(sha256)).find(each => each !== undefined);
        if (removal === undefined) break;
        // Removed or refused: the content is there or not.
        await removal.catch(() => {});
      }
      count(contents, 1);
      try {
        return await work();
      } finally {
        count(contents, -1);
      }
    },
    async removing(sha256: string, work: () => Promise<void>): Promise<void> {
      if (namings.has(sha256)) throw new FileRefused('conflict', `file ${sha256} is just being named by a job or an app; try again`);
      const removal = (removals.get(sha256) ?? Promise.resolve()).then(work, work);
      removals.set(sha256, removal);
      try {
        await removal;
      } finally {
        if (removals.get(sha256) === removal) removals.delete(sha256);
      }
    },
  };
}
