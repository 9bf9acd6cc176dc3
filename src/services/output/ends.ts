/** The end of what executions wrote. */
import { splitTail } from '../../lib/text-tail.ts';
import type { OutputChunk, OutputStore } from '../../store/port.ts';

/** Chunks of the first query; each further one reads more: some chunks are a line, some 64 KB. */
const FIRST_PAGE = 8;
const PAGE_MAX = 1_000;

type Stream = 'stdout' | 'stderr';
type Written = Record<Stream, number>;

export interface OutputEnd extends Record<Stream, string> {
  /** Whether that is all that it wrote. */
  isWhole: boolean;
}

/**
 * Of each execution the last `bytes` bytes of UTF-8 of each stream, over all shards and attempts in
 * their order, with a mark where something was left out. `written`: bytes of its latest attempts.
 */
export async function outputEnds(
  store: Pick<OutputStore, 'output' | 'outputSums'>,
  { executions, bytes }: { executions: { id: string; written: Written }[]; bytes: number },
): Promise<Map<string, OutputEnd>> {
  const sums = executions.length === 0 ? [] : await store.outputSums({ executions: executions.map(({ id }) => id) });
  const endOf = async (id: string, written: Written): Promise<OutputEnd> => {
    const own = sums.filter(({ execution }) => execution === id);
    const keptOf = (stream: Stream) => own.filter(sum => sum.stream === stream).reduce((sum, each) => sum + each.bytes, 0);
    // A number below zero counts output that is gone: see `tally.ts`.
    const isTrimmed = own.some(({ first }) => first < 0) || keptOf('stdout') < written.stdout || keptOf('stderr') < written.stderr;
    const read = (stream: Stream) => (keptOf(stream) === 0 ? NOTHING : streamEnd(store, { execution: id, stream, bytes }));
    const [stdout, stderr] = await Promise.all([read('stdout'), read('stderr')]);
    return { stdout: stdout.text, stderr: stderr.text, isWhole: stdout.isWhole && stderr.isWhole && !isTrimmed };
  };
  return new Map(await Promise.all(executions.map(async ({ id, written }) => [id, await endOf(id, written)] as const)));
}

const NOTHING = { text: '', isWhole: true };

async function streamEnd(
  store: Pick<OutputStore, 'output'>,
  { execution, stream, bytes }: { execution: string; stream: Stream; bytes: number },
): Promise<{ text: string; isWhole: boolean }> {
  const pieces: string[] = [];
  let size = 0;
  let isWhole = true;
  let after: Pick<OutputChunk, 'item' | 'attempt' | 'seq'> | undefined;
  for (let limit = FIRST_PAGE; ; limit = Math.min(PAGE_MAX, limit * 4)) {
    const page = await store.output({ execution, stream, order: 'newest', limit, ...(after && { after }) });
    for (const { text, leftOut } of page.filter(chunk => chunk.seq >= 0)) {
      if (leftOut > 0) isWhole = false;
      pieces.push(text, leftOut > 0 ? `\n[${leftOut} bytes of ${stream} are left out here]\n` : '');
      size += Buffer.byteLength(text);
      if (size > bytes) return { text: splitTail(inOrder(pieces), bytes).tail, isWhole: false };
    }
    after = page.at(-1);
    if (page.length < limit || after === undefined) return { text: splitTail(inOrder(pieces), bytes).tail, isWhole };
  }
}

/** Chunks come newest first, each with its mark behind it. */
const inOrder = (pieces: string[]): string => pieces.toReversed().join('');
