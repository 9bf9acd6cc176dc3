/**
 * Errors of MongoDB as errors of the store. A missing answer, or one about the server itself, is
 * StoreUnavailable: the outcome of the write is unknown until the document is read. Only an answer
 * about one document is an error of that document.
 */
import { StoreUnavailable } from '../port.ts';

export const DUPLICATE_KEY = 11000;

/**
 * Server codes for a wrong document: bad value, cannot be parsed, path conflict, wrong type, fails
 * validation, too large.
 */
const BLAMES_THE_DOCUMENT = new Set([2, 9, 14, 16, 28, 40, 52, 56, 57, 66, 121, 10334, 17280, 17419, 17420]);

/** Errors about the arguments of a call, or mistakes in a program: nothing was sent. */
const BLAMES_THE_CALLER = /^(Mongo(InvalidArgument|API|Parse|MissingDependency)|BSON\w*|Type|Range|Reference|Syntax)Error$|^BSONError$/;

/** Unchanged where it is about a document or a mistake in the program, else as StoreUnavailable. */
export function asStoreError(error: unknown): unknown {
  if (error instanceof StoreUnavailable || !(error instanceof Error)) return error;
  // All other errors, of the driver, its timers or a socket, mean an absent server.
  if (BLAMES_THE_CALLER.test(error.name) || BLAMES_THE_DOCUMENT.has(codeOf(error))) return error;
  return new StoreUnavailable(`the database is unavailable: ${error.message}`, { cause: error });
}

/** Runs `work`. Throws StoreUnavailable where the server does not answer or cannot write. */
export async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asStoreError(error);
  }
}

/** Server codes of a node that is not primary (no more, or not yet), or lost a connection. */
const PASSES = new Set([6, 7, 89, 134, 189, 262, 9001, 10107, 11602, 13435, 13436]);

/**
 * Runs an idempotent write, and repeats it once where the primary changed or the connection broke.
 * The driver repeats writes of one document by itself; those of the ORM may reach several. Rejects
 * with the error of the driver.
 */
export async function repeated<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const isPassing = error instanceof Error && (/^MongoNetwork/.test(error.name) || PASSES.has(codeOf(error)));
    if (!isPassing) throw error;
    return write();
  }
}

/** A write that may insert found another document with the same key. */
export const isDuplicate = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === DUPLICATE_KEY;

/** Single documents that a write of many did not write. */
export interface RefusedWrites {
  /** Indexes of the operations, each with the server's code. */
  refused: { index: number; code: number }[];
}

/**
 * The writes that were refused; all others of the call are durable. Undefined where the error names
 * no single writes, or where the server did not confirm durability.
 */
export function refusedWrites(error: unknown): RefusedWrites | undefined {
  if (!(error instanceof Error) || error.name !== 'MongoBulkWriteError') return undefined;
  const { writeErrors, result } = error as Error & {
    writeErrors?: WriteError | WriteError[];
    result?: { getWriteConcernError?(): unknown };
  };
  const refused = writeErrors === undefined ? [] : [writeErrors].flat().map(({ index, code }) => ({ index, code: Number(code) }));
  if (refused.length === 0 || result?.getWriteConcernError?.()) return undefined;
  return { refused };
}

interface WriteError {
  index: number;
  code?: number | string;
}

const codeOf = (error: Error): number => ('code' in error && typeof error.code === 'number' ? error.code : 0);
