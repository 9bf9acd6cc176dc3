/**
 * Encodes calls and responses between two threads as texts: a structured clone of nested objects
 * costs several times as much as JSON. Texts that are JSON already, most of a write of actors, are
 * sent as they are, because encoding would only escape them again.
 */
import type { Write } from '../../port.ts';
import type { WriterCall, WriterResponse } from './calls.ts';

/** Per call: its number, its method, and its arguments as JSON, or the texts of its writes. */
export type EncodedCalls = (number | string | string[])[];
export type EncodedResponses = string;

export function sendCalls(calls: WriterCall[]): EncodedCalls {
  return calls.flatMap(({ id, method, args }) => [id, method, method === 'commit' ? textsOf(args[0] as Write[]) : JSON.stringify(args)]);
}

export function receiveCalls(message: EncodedCalls): WriterCall[] {
  const calls: WriterCall[] = [];
  for (let index = 0; index < message.length; index += 3) {
    const body = message[index + 2];
    const args = typeof body === 'string' ? (JSON.parse(body) as unknown[]) : [writesOf(body as string[])];
    calls.push({ id: message[index] as number, method: message[index + 1] as WriterCall['method'], args });
  }
  return calls;
}

export const sendResponses = (answers: WriterResponse[]): EncodedResponses => JSON.stringify(answers);
export const receiveResponses = (message: EncodedResponses): WriterResponse[] => JSON.parse(message) as WriterResponse[];

/** Three texts per write: the two that are JSON already, and the rest. */
function textsOf(writes: Write[]): string[] {
  return writes.flatMap(({ document: { state, pendingEffects, ...document }, ...write }) => [
    state,
    pendingEffects,
    JSON.stringify({ ...write, document }),
  ]);
}

function writesOf(texts: string[]): Write[] {
  const writes: Write[] = [];
  for (let index = 0; index < texts.length; index += 3) {
    const write = JSON.parse(texts[index + 2] as string) as Write;
    write.document.state = texts[index] as string;
    write.document.pendingEffects = texts[index + 1] as string;
    writes.push(write);
  }
  return writes;
}
