/** The end of the kept output of one attempt, both streams in the order of their pieces. */
import type { NoticeOutput } from '../../../actors/notice/types.ts';
import { splitTail } from '../../lib/text-tail.ts';
import type { OutputStore } from '../../store/port.ts';
import type { AttemptName } from './attempt.ts';
import { recordsOf } from './read.ts';

/** At most so many bytes, without half a character. Throws what the store throws. */
export async function tailOf(store: Pick<OutputStore, 'output'>, attempt: AttemptName, maxBytes: number): Promise<NoticeOutput> {
  let tail = '';
  let isCut = false;
  for await (const { seq, text } of recordsOf(store, attempt)) {
    // A record below 0 counts bytes that were left out.
    if (seq < 0) isCut = true;
    else tail += text;
    // Pieces are short; cutting at each of them would copy the tail each time.
    if (tail.length > 4 * maxBytes) {
      tail = lastBytes(tail, maxBytes);
      isCut = true;
    }
  }
  const text = lastBytes(tail, maxBytes);
  return { text, isCut: isCut || text.length < tail.length };
}

const lastBytes = (text: string, maxBytes: number): string => splitTail(text, maxBytes).tail;
