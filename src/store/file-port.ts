/**
 * The port of the file store: content of any kind by its SHA-256, and the names under which it was
 * uploaded. A content is immutable, whole or not there, and leaves with its last name.
 *
 * Each store implements `Blobs` and `FileRows`; `file-store.ts` makes the `FileStore` of them.
 */

/** A content under one of its names. */
export interface StoredFile {
  name: string;
  /** 64 lower-case hex digits. */
  sha256: string;
  /** 32 lower-case hex digits; clients of Cloudtask know it as `filecode`. It decides nothing. */
  md5: string;
  bytes: number;
  /** Epoch ms of the last upload of this content under this name; it grows within a name. */
  uploadedAt: number;
  /** Epoch ms at which it was last uploaded, or found to be named by a job or an app. */
  neededAt: number;
}

/** Until another try after a full disk, ms. */
const RETRY_MS = 60_000;

/** A refusal of the file store: one sentence for the caller, and the field that it is about. */
export class FileRefused extends Error {
  /**
   * `invalid`: wrong digest or length. `conflict`: the upload is elsewhere. `notFound`: the content
   * is not there. `tooLarge`: over a limit. `unavailable`: the disk or the database takes nothing.
   */
  readonly code: 'invalid' | 'conflict' | 'notFound' | 'tooLarge' | 'unavailable';
  readonly field: string | undefined;
  /** When another try makes sense, ms. */
  readonly retryAfterMs: number | undefined;
  constructor(code: FileRefused['code'], message: string, { field, cause }: { field?: string; cause?: unknown } = {}) {
    super(message, { cause });
    this.code = code;
    this.field = field;
    this.retryAfterMs = code === 'unavailable' ? RETRY_MS : undefined;
  }
}

interface FileQuery {
  sha256?: string;
  md5?: string;
  name?: string;
  /** Strictly older than this file. */
  after?: Pick<StoredFile, 'uploadedAt' | 'sha256' | 'name'>;
  limit: number;
}

export interface FileTotals {
  /** Names, each content under each of its names. */
  files: number;
  /** Bytes of all contents, each once, and of incomplete uploads. */
  bytes: number;
}

export interface FileStore {
  /**
   * Stores the bytes under their digest and this name. Resolves once both are durable. `isNew`:
   * this content was not there under this name. A source that throws leaves nothing, and `put`
   * rejects with its error. Throws FileRefused `invalid` where the content has another `sha256`.
   */
  put(order: {
    name: string;
    bytes: AsyncIterable<Uint8Array>;
    at: number;
    sha256?: string;
  }): Promise<{ file: StoredFile; isNew: boolean }>;
  /** The bytes from `from` up to, not including, `to`. Throws FileRefused `notFound`. */
  read(sha256: string, range: { from: number; to: number }): Promise<AsyncIterable<Uint8Array>>;
  /** By SHA-256 or MD5; of several the one that was uploaded last. */
  stat(digest: string): Promise<StoredFile | undefined>;
  /** The last uploaded first. */
  list(query: FileQuery): Promise<StoredFile[]>;
  totals(): Promise<FileTotals>;
  /** Removes a name, and with the last one its content. Idempotent. */
  delete(file: Pick<StoredFile, 'sha256' | 'name'>): Promise<void>;
  /**
   * Removes a name as `delete` does, unless it was needed since `before`, epoch ms. Resolves with
   * whether it removed one. A `touch` comes before it or finds the content gone.
   */
  deleteUnneeded(file: Pick<StoredFile, 'sha256' | 'name'>, before: number): Promise<boolean>;
  /**
   * Notes that a content is needed at this instant, under all of its names. Resolves with whether
   * the content is there.
   */
  touch(sha256: string, at: number): Promise<boolean>;
  /** Bytes of an incomplete upload; undefined: there is none. */
  received(sha256: string): Promise<number | undefined>;
  /**
   * Continues an upload in parts with at most `length` bytes. Resolves with the bytes that are
   * there now. What arrives before the source throws is kept, and `append` rejects with its error.
   * Throws FileRefused `conflict` where the upload is not at `from`, `invalid` for more bytes than
   * `length`; both keep nothing of this part.
   */
  append(part: { sha256: string; from: number; length: number; bytes: AsyncIterable<Uint8Array> }): Promise<number>;
  /**
   * Makes a file of the parts of an upload. Throws FileRefused `invalid` where they have another
   * digest. The parts are gone in both cases.
   */
  complete(order: { sha256: string; name: string; at: number }): Promise<{ file: StoredFile; isNew: boolean }>;
  /**
   * Removes uploads without a part since `before` (epoch ms), and what crashes left from before
   * then. Resolves with the number of removed uploads. Idempotent.
   */
  sweep(before: number): Promise<number>;
}

/** Names of contents as small records. */
export interface FileRows {
  /** Writes the record and replaces one of the same content and name. */
  putFileRow(file: StoredFile): Promise<void>;
  /** Idempotent. */
  removeFileRow(file: Pick<StoredFile, 'sha256' | 'name'>): Promise<void>;
  /** The last uploaded first. */
  fileRows(query: FileQuery): Promise<StoredFile[]>;
  /** Number of records, and bytes of their contents, each once. */
  fileTotals(): Promise<FileTotals>;
}

/** Immutable bytes by key. Keys have letters, digits and dots. */
export interface Blobs {
  /** Begins a blob that nobody sees before `keep`. */
  write(): Promise<BlobWriter>;
  /** Ends early or throws where the blob is removed meanwhile. */
  read(key: string, range: { from: number; to: number }): AsyncIterable<Uint8Array>;
  /** Bytes of the blob; undefined: it does not exist. */
  size(key: string): Promise<number | undefined>;
  /**
   * Blobs whose key begins with `prefix`, which is empty or ends with the first or the second dot
   * of the keys. `at`: epoch ms at which each was kept or begun.
   */
  list(prefix: string): Promise<{ key: string; bytes: number; at: number }[]>;
  /** Idempotent. */
  remove(key: string): Promise<void>;
  /** Removes incomplete blobs that were begun before this instant. */
  sweepIncomplete(before: number): Promise<void>;
}

export interface BlobWriter {
  /** Resolves once further bytes may follow. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the blob durable and visible; it replaces one of the same key. */
  keep(key: string): Promise<void>;
  /** Removes what was written. No effect after `keep`. Idempotent, never throws. */
  discard(): Promise<void>;
}
