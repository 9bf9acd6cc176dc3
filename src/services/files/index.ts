/**
 * Uploaded files with their limits: of one file, of all together, and of the time that content
 * stays which no job and no app names.
 */
import { type Clock, pause } from '../../lib/clock.ts';
import type { Views } from '../../runtime/views.ts';
import { FileRefused, type FileStore, type FileTotals, type StoredFile } from '../../store/file-port.ts';
import { StoreUnavailable } from '../../store/port.ts';
import { namedContents } from './named.ts';
import { createNamingGuard } from './naming-guard.ts';

export interface FileLimits {
  /** Bytes of one file. */
  fileBytes: number;
  /** Bytes of all files, each content once, incomplete uploads included. */
  filesBytes: number;
  /** Content that no job and no app names is deleted after this time, ms. */
  keepMs: number;
}

/** Names of contents; a further one is refused. */
const FILES_MAX = 10_000;
/** Life of an incomplete upload without a new part, ms. */
const UPLOAD_MS = 86_400_000;
/** From the start to the first pass, and between two passes, ms. */
const FIRST_PASS_MS = 60_000;
const PASS_MS = 3_600_000;
const PAGE = 200;

type Bytes = AsyncIterable<Uint8Array>;
export type Stored = Awaited<ReturnType<FileStore['put']>>;

export interface FileService extends Pick<FileStore, 'stat' | 'list' | 'read' | 'totals' | 'received'> {
  /**
   * Stores a whole file. Throws FileRefused, and the error of `bytes`; both leave nothing of it.
   */
  upload(file: { name: string; bytes: Bytes; sha256?: string; announced: number | undefined }): Promise<Stored>;
  /**
   * Stores one part of a file: the bytes from `from` up to, not including, `to` of `total`.
   * Resolves with the file once it is whole, else with the bytes that are there. Throws
   * FileRefused, and the error of `bytes`, which keeps what arrived.
   */
  uploadPart(part: {
    name: string;
    sha256: string;
    from: number;
    to: number;
    total: number;
    bytes: Bytes;
  }): Promise<Stored | { received: number }>;
  /**
   * Runs `work`, which stores the names of these contents in a job or an app: none of them can be
   * removed meanwhile, and each counts as needed now. Throws FileRefused `notFound` where one is
   * gone, and the error of `work`.
   */
  naming<T>(contents: readonly string[], work: () => Promise<T>): Promise<T>;
  /** Removes a content with all of its names. Throws FileRefused `conflict` while it is named. */
  remove(sha256: string): Promise<void>;
  /**
   * One pass: notes which contents are named, deletes those that were not for `keepMs`, and uploads
   * that were broken off. Throws what the store throws.
   */
  runOnce(): Promise<{ files: number; uploads: number }>;
  /** Runs passes until the signal aborts; retries while the store is unavailable. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
}

export function createFileService({
  files,
  views,
  clock,
  limits,
  log,
}: {
  files: FileStore;
  views: Pick<Views, 'list'>;
  clock: Clock;
  limits: FileLimits;
  log(level: 'info' | 'warn', text: string, fields: Record<string, unknown>): void;
}): FileService {
  const room = createRoom({ files, views, clock, limits });
  const guard = createNamingGuard();

  async function runOnce(): Promise<{ files: number; uploads: number }> {
    const now = clock.now();
    const uploads = await files.sweep(now - UPLOAD_MS);
    // Before the names: content that is named from now on counts as needed now.
    const stored = await all(files);
    if (stored.length === 0) return { files: 0, uploads };
    const named = await namedContents({ views, clock });
    let deleted = 0;
    for (const file of stored) {
      // What cannot be read may name any content.
      if (named.unreadable > 0 || named.sha256.has(file.sha256)) await files.touch(file.sha256, now);
      else if (!guard.isNaming(file.sha256) && (await files.deleteUnneeded(file, now - limits.keepMs))) deleted += 1;
    }
    if (deleted + uploads > 0) log('info', 'files that nothing names were deleted', { files: deleted, uploads });
    return { files: deleted, uploads };
  }

  return {
    stat: digest => files.stat(digest),
    list: query => files.list(query),
    read: (sha256, range) => files.read(sha256, range),
    totals: () => files.totals(),
    received: sha256 => files.received(sha256),

    async upload({ bytes, announced, ...file }) {
      if (announced !== undefined) room.checkFile(announced);
      return room.within(bytes, announced, counted => files.put({ ...file, bytes: counted, at: clock.now() }));
    },

    async uploadPart({ name, sha256, from, to, total, bytes }) {
      room.checkFile(total);
      const length = to - from;
      const known = length === 0 && (await files.received(sha256)) === undefined ? await files.stat(sha256) : undefined;
      // Nothing is left to send: the content is there, maybe under another name.
      if (known?.bytes === total) {
        const bytesThere = await files.read(sha256, { from: 0, to: total });
        return files.put({ name, bytes: bytesThere, at: clock.now(), sha256 });
      }
      const received = await room.within(bytes, length, counted => files.append({ sha256, from, length, bytes: counted }));
      if (received < total) return { received };
      return files.complete({ sha256, name, at: clock.now() });
    },

    naming: (contents, work) =>
      guard.naming(contents, async () => {
        for (const sha256 of contents) {
          if (await files.touch(sha256, clock.now())) continue;
          throw new FileRefused('notFound', `the content ${sha256} is gone from the file store; upload it again`);
        }
        return work();
      }),

    remove: sha256 =>
      guard.removing(sha256, async () => {
        const by = (await namedContents({ views, clock })).sha256.get(sha256);
        if (by !== undefined)
          throw new FileRefused('conflict', `file ${sha256} is named by ${by}; ${WAYS[by.startsWith('job') ? 'job' : 'app']}`);
        for (const file of await files.list({ sha256, limit: FILES_MAX })) await files.delete(file);
      }),

    runOnce,

    async run(signal, ready) {
      ready();
      await pause(clock, FIRST_PASS_MS, signal);
      while (!signal.aborted) {
        await runOnce().catch((error: unknown) => {
          if (!(error instanceof StoreUnavailable || error instanceof FileRefused)) throw error;
          log('warn', 'files are not checked while the store is unavailable', { problem: error.message });
        });
        await pause(clock, PASS_MS, signal);
      }
    },
  };
}

const WAYS = {
  app: 'publish that with another url first',
  job: 'take it out of "file" and "files" of that job first',
};

async function all(files: Pick<FileStore, 'list'>): Promise<StoredFile[]> {
  const found: StoredFile[] = [];
  for (;;) {
    const after = found.at(-1);
    const page = await files.list({ limit: PAGE, ...(after && { after }) });
    found.push(...page);
    if (page.length < PAGE) return found;
  }
}

interface RoomParts {
  files: FileStore;
  views: Pick<Views, 'list'>;
  clock: Clock;
  limits: FileLimits;
}

/** The limits of one file and of all, while several uploads are under way. */
function createRoom(parts: RoomParts) {
  const { files, limits } = parts;
  /** Bytes of uploads that are under way and not stored yet. */
  let underWay = 0;
  let stored: FileTotals = { files: 0, bytes: 0 };

  const checkFile = (bytes: number): void => {
    if (bytes > limits.fileBytes)
      throw new FileRefused('tooLarge', `a file may have at most ${megabytes(limits.fileBytes)} MB (TROUPE_FILE_MB)`);
  };
  const checkAll = async (more: number): Promise<void> => {
    if (stored.bytes + more > limits.filesBytes) throw await noRoom(parts, stored.bytes);
  };

  return {
    checkFile,
    /** Runs `work` with the same bytes, which end with FileRefused at a limit. */
    async within<T>(bytes: Bytes, announced: number | undefined, work: (bytes: Bytes) => Promise<T>): Promise<T> {
      stored = await files.totals();
      if (stored.files >= FILES_MAX) throw new FileRefused('tooLarge', `the center keeps at most ${FILES_MAX} files; delete some of them`);
      await checkAll(underWay + (announced ?? 0));
      let own = 0;
      const counted = async function* (): AsyncGenerator<Uint8Array> {
        for await (const piece of bytes) {
          own += piece.length;
          underWay += piece.length;
          checkFile(own);
          await checkAll(underWay);
          yield piece;
        }
      };
      try {
        return await work(counted());
      } finally {
        // Those that are still under way are judged by what this one has stored.
        stored = await files.totals().catch(() => stored);
        underWay -= own;
      }
    },
  };
}

/** The refusal with what would make room. */
async function noRoom({ files, views, clock, limits }: RoomParts, bytes: number) {
  const named = await namedContents({ views, clock });
  const free = new Map((await all(files)).filter(({ sha256 }) => !named.sha256.has(sha256)).map(file => [file.sha256, file.bytes]));
  const unnamed = [...free.values()].reduce((sum, each) => sum + each, 0);
  const full = `there is no room for this file: all files together take ${megabytes(bytes)} of ${megabytes(limits.filesBytes)} MB (TROUPE_FILES_MAX_MB)`;
  const way =
    free.size === 0
      ? 'every one is named by an app or a job'
      : `${free.size} of them with ${megabytes(unnamed)} MB are named by no app and no job`;
  return new FileRefused('tooLarge', `${full}; ${way}: delete some with DELETE /v1/files/{digest}, or raise the limit`);
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
