/** Limits of apps, each with its behaviour at the limit. */
export interface ArtifactLimits {
  /** Bytes of one download; refused beyond. */
  downloadBytes: number;
  /** From the first request to the last byte; then the app host counts as unreachable. */
  downloadMs: number;
  /** Without a byte. */
  idleMs: number;
  redirects: number;
  /**
   * Entries, unpacked bytes and their ratio to the packed ones (once beyond `ratioFromBytes`) of
   * one archive; refused beyond.
   */
  entries: number;
  unpackedBytes: number;
  ratio: number;
  ratioFromBytes: number;
  /**
   * Bytes of an archive that are not content: headers between two entries of a tar, and of all
   * together (a zip's list likewise); refused beyond.
   */
  headerBytes: number;
  headersBytes: number;
  /**
   * Bytes of all copies on this host and age of an unused one; the least recently used go first,
   * never one that a run uses.
   */
  cacheBytes: number;
  cacheMs: number;
  /**
   * A run gets a copy of its app of at most so many bytes (unless the file system clones them) and
   * entries; a larger app is shared by its runs, read-only.
   */
  copyBytesMax: number;
  copyEntriesMax: number;
  /** Bytes of all copies of runs; a further one fails, and its retry policy decides. */
  copiesBytesMax: number;
  /**
   * An app of at most so many entries and bytes is copied also where the agent may mount: that
   * costs less than mounting.
   */
  smallEntries: number;
  smallBytes: number;
  /** A copy this fresh is never removed: a run may be about to register its use. */
  freshMs: number;
  /** A cached copy is validated again in the background at most this often. */
  validateMs: number;
}

export const artifactLimits: ArtifactLimits = {
  downloadBytes: 1024 ** 3,
  downloadMs: 600_000,
  idleMs: 30_000,
  redirects: 5,
  entries: 10_000,
  unpackedBytes: 1024 ** 3,
  ratio: 200,
  ratioFromBytes: 10 * 1024 ** 2,
  headerBytes: 1024 ** 2,
  headersBytes: 64 * 1024 ** 2,
  cacheBytes: 5 * 1024 ** 3,
  cacheMs: 30 * 24 * 3_600_000,
  copyBytesMax: 64 * 1024 ** 2,
  copyEntriesMax: 5_000,
  copiesBytesMax: 10 * 1024 ** 3,
  smallEntries: 32,
  smallBytes: 1024 ** 2,
  freshMs: 60_000,
  validateMs: 60_000,
};
