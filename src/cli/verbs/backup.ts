/**
 * `troupe backup` and `troupe restore`: the embedded database as one file, and back. Both work on
 * the data directory, not through a center.
 */
import { resolve } from 'node:path';
import { EXIT, Failure } from '../failure.ts';
import { flagOption, textOption } from '../options.ts';
import type { Shell } from '../shell.ts';
import { verb } from '../verb.ts';

const data = textOption('DIR', 'the data directory of the center (default: TROUPE_DATA, then ./data)');

function directoryOf(given: string | undefined, { env }: Shell): string {
  if (env.TROUPE_STORE?.startsWith('mongodb'))
    throw new Failure(EXIT.failed, 'TROUPE_STORE names a MongoDB database; use mongodump and mongorestore for it');
  return resolve(given ?? (env.TROUPE_DATA || './data'));
}

const sumOf = (rows: Record<string, number>): number => Object.values(rows).reduce((sum, count) => sum + count, 0);

/** Throws Failure with the message of what `work` throws. */
async function orFailure<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Failure(EXIT.failed, (error as Error).message, { cause: error });
  }
}

function* filesText({ files, missingFiles }: { files: number; missingFiles: number }, text: (count: number) => string): Generator<string> {
  if (files > 0) yield text(files);
  if (missingFiles > 0) yield `${missingFiles} uploaded files are missing; upload them again`;
}

export const backup = verb({
  summary: 'copies the database of a center into one verified file, also while the center runs',
  takes: ['FILE'],
  options: { data },
  examples: ['troupe backup /backups/troupe.sqlite --data /var/lib/troupe'],
  async run({ words, values, shell, print }) {
    const directory = directoryOf(values.data, shell);
    const { makeBackup } = await import('../../store/sqlite/backup.ts');
    const made = await orFailure(() => makeBackup({ directory, file: resolve(words[0] ?? ''), at: shell.clock.now() }));
    await print.show(made, () => [
      `${made.file} has ${sumOf(made.rows)} rows in ${made.bytes} bytes, verified; keep it secret`,
      ...filesText(made, count => `${count} uploaded files are in ${made.file}.files; keep both together`),
    ]);
    return EXIT.done;
  },
});

export const restore = verb({
  summary: 'replaces the database of a stopped center with a backup',
  takes: ['FILE'],
  options: { data, overwrite: flagOption('replace an existing database; it stays as troupe.sqlite.replaced') },
  examples: ['troupe restore /backups/troupe.sqlite --data /var/lib/troupe'],
  async run({ words, values, shell, print }) {
    const directory = directoryOf(values.data, shell);
    const { restoreBackup } = await import('../../store/sqlite/restore.ts');
    const restored = await orFailure(() =>
      restoreBackup({ file: resolve(words[0] ?? ''), directory, overwrite: values.overwrite === true }),
    );
    const { madeAt, rows, replaced } = restored;
    const made = madeAt === null ? 'made at an unknown time' : `made at ${print.instant(new Date(madeAt).toISOString())}`;
    const { files, missingFiles } = restored;
    await print.show({ ...restored, directory }, () => [
      `${directory} holds the ${sumOf(rows)} rows of a backup ${made}; work acknowledged after it is lost`,
      ...filesText({ files, missingFiles }, count => `${count} uploaded files are in ${directory}/files`),
      ...(replaced === null ? [] : [`the replaced database is ${replaced}`]),
    ]);
    return EXIT.done;
  },
});
