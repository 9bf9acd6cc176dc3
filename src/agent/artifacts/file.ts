/**
 * A file of this host, answered like an app host would: a `file:` address is one more place to
 * download from.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ArtifactError } from '../ports.ts';
import type { Fetch } from './http.ts';

/** Its inode, size and times stand in for the ETag. Throws ArtifactError. */
export const fetchFile: Fetch = async (url, { headers }) => {
  // Without waiting: opening a FIFO would block until another process writes to it.
  const handle = await open(pathOf(url), constants.O_RDONLY | constants.O_NONBLOCK).catch(cause => {
    throw cannotRead(url, cause);
  });
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile())
      throw new ArtifactError('unsupported', `${url.pathname} is no file of this host that an app can come from`, { transient: false });
    const etag = `"${stat.ino}-${stat.size}-${stat.mtimeNs}-${stat.ctimeNs}"`;
    const answered: Record<string, string> = { etag, 'content-length': String(stat.size) };
    const isSame = headers['if-none-match'] === etag;
    if (isSame) await handle.close();
    return {
      status: isSame ? 304 : 200,
      header: name => answered[name],
      body: isSame ? nothing() : handle.createReadStream(),
      cancel: () => void handle.close().catch(() => undefined),
    };
  } catch (problem) {
    await handle.close();
    throw problem instanceof ArtifactError ? problem : cannotRead(url, problem);
  }
};

async function* nothing(): AsyncGenerator<Uint8Array> {}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new ArtifactError('unsupported', `${url.href} is no path on this host`, { transient: false, cause });
  }
}

/** It may be on a disk that is away for now. */
const cannotRead = (url: URL, cause: unknown): ArtifactError =>
  new ArtifactError('unreachable', `${url.pathname} cannot be read on this host (${Object(cause).code ?? cause})`, {
    transient: true,
    cause,
  });
