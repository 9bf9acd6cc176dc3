/**
 * What a failure of MongoDB means. Whatever keeps the server from answering, and whatever it says
 * about itself, is StoreUnavailable: what became of the write is not known until somebody reads.
 * Only what it says about one document is an error of that document.
 */
import { StoreUnavailable } from '../port.ts';

export const DUPLICATE_KEY = 11000;

/**
 * Server codes that blame what was sent: bad value, cannot be parsed, path conflict, wrong type,
 * fails validation, too large.
 */
const BLAMES_THE_DOCUMENT = new Set([2, 9, 14, 16, 28, 40, 52, 56, 57, 66, 121, 10334, 17280, 17419, 17420]);

/** About what the driver was given, or mistakes in programs; nothing was sent. */
const BLAMES_THE_CALLER = /^(Mongo(InvalidArgument|API|Parse|MissingDependency)|BSON\w*|Type|Range|Reference|Syntax)Error$|^BSONError$/;

/** As it is when it is about a document or a mistake of ours, otherwise as StoreUnavailable. */
export function asStoreError(error: unknown): unknown {
  if (error instanceof StoreUnavailable || !(error instanceof Error)) return error;
  // All else means an absent server, in words of the driver, its timers or a socket.
  if (BLAMES_THE_CALLER.test(error.name) || BLAMES_THE_DOCUMENT.has(codeOf(error))) return error;
  return new StoreUnavailable(`the database does not take it now: ${error.message}`, { cause: error });
}

/** Runs `work`; what keeps it from working comes as StoreUnavailable. */
export async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asStoreError(error);
  }
}

/** Server codes of a node that is not primary, no more or not yet, or that lost a line. */
const PASSES = new Set([6, 7, 89, 134, 189, 262, 9001, 10107, 11602, 13435, 13436]);

/**
 * Runs a write whose repetition changes nothing, and once more where the primary changed or the
 * line broke meanwhile. The driver does so itself for writes of single documents; those of the ORM
 * say that they may reach several. Rejects with the error of the driver.
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

/** Of one write that may insert: another document is in the way. */
export const isDuplicate = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === DUPLICATE_KEY;

/** What a write of many documents says about single ones. */
export interface RefusedWrites {
  /** Places in the order of the operations, each with the server's code. */
  refused: { index: number; code: number }[];
}

/**
 * The single writes that were refused, all others of the call being durable; undefined when the
 * error says nothing of the kind, or when the server could not promise durability besides.
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
