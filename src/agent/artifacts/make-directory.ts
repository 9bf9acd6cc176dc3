/** Makes the directory of a job: fetches its file, unpacks it, moves it to its place. */
import { chmod, chown, lstat, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobDirectory } from '../../protocol/agent.ts';
import { removeTree } from '../remove-tree.ts';
import { type CenterSource, downloadFromCenter } from './center-file.ts';
import { recognise } from './format.ts';
import type { DirectoryStore } from './job-directory-store.ts';
import type { Owner } from './tree.ts';
import { headOf, unpack } from './unpack.ts';

interface Making {
  by: CenterSource;
  store: DirectoryStore;
  /** Name of the directory in the store. */
  key: string;
  wanted: JobDirectory;
  owner: Owner | undefined;
  signal: AbortSignal;
}

/** For messages. */
export const contentName = ({ file }: JobDirectory): string => (file ? `the file ${file.name} of the job` : 'the directory of the job');

/** A failure leaves no files. Throws ArtifactError, errors of the disk, or the signal's reason. */
export async function makeDirectory({ by, store, key, wanted, owner, signal }: Making): Promise<void> {
  const { asOf, file } = wanted;
  const download = store.tmp();
  const staging = store.tmp();
  const work = join(staging, 'work');
  let bytes = 0;
  try {
    await mkdir(staging, { mode: 0o700 });
    await mkdir(work, { mode: 0o700 });
    if (file === null) {
      if (owner) await chown(work, owner.uid, owner.gid);
    } else {
      const got = await downloadFromCenter(by, file.sha256, download, { what: contentName(wanted), signal });
      // The job has the file under this name; another one has the same content perhaps.
      const format = recognise(`troupe:files/${file.name}`, await headOf(download));
      const made = { file: download, directory: work, format, packedBytes: got.bytes, limits: by.limits, owner, signal };
      ({ bytes } = await unpack(made));
      await openToOwner(work);
    }
    signal.throwIfAborted();
    await store.add(key, staging, { asOf, usedAt: by.clock.now(), bytes, runs: [] });
  } finally {
    await rm(download, { force: true });
    await removeTree(staging);
  }
}

/** Runs write here, also where the archive has a mode for its root that forbids it. */
async function openToOwner(work: string): Promise<void> {
  const { mode } = await lstat(work);
  await chmod(work, (mode & 0o777) | 0o700);
}
