/**
 * The socket between agent and keeper: newline-delimited JSON, the keeper's own words
 * (`protocol.ts`) as they are.
 *
 *   agent                                   keeper
 *     | -- {"agent": 1} -----------------> |   which protocol it speaks
 *     | <- {"keeper": 1, "pid": 4711} ---- |   or {"refused": "…"}, and the socket closes
 *     | -- {"id": 1, "ask": "list"} -----> |
 *     | <- {"id": 1, "answer": […]} ------ |   or {"id": 1, "error": "…"}
 *     | <- {"news": …} ------------------- |
 */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Keeper, KeeperNews, KeepOrder, LastWord } from '../protocol/keeper.ts';

export const KEEPER_PROTOCOL = 1;
/**
 * Longest line either side takes, bytes; a longer one ends the connection. Above the largest order
 * an agent can be sent, and the largest answer to `read` as JSON.
 */
const LINE_BYTES_MAX = 16 * 1024 * 1024;

export type Ask =
  | { ask: 'start'; order: KeepOrder }
  | { ask: 'stop'; run: string; graceMs: number }
  | { ask: 'list' }
  | { ask: 'read'; run: string; afterSeq: number; maxBytes: number }
  | { ask: 'forget'; run: string }
  | { ask: 'entrust'; word: LastWord };

export type FromAgentFrame = { agent: number } | ({ id: number } & Ask);
export type FromKeeperFrame =
  | { keeper: number; pid: number }
  | { refused: string }
  | { id: number; answer: unknown }
  | { id: number; error: string }
  | { news: KeeperNews };

/** Where everything of the keeper of a data directory lives. */
export const keeperDirectory = (data: string): string => join(data, 'keeper');

/**
 * Calls `use` with a path to the keeper's socket that fits into a socket address (108 bytes): a
 * deep data directory is reached through an open file descriptor of it. Keep that open for as long
 * as the path is used; `release` closes it.
 */
export function socketPath(directory: string): { path: string; release: () => void } {
  const path = join(directory, 'socket');
  if (Buffer.byteLength(path) < 100) return { path, release: () => {} };
  const fd = openSync(directory, 'r');
  return { path: `/proc/self/fd/${fd}/socket`, release: () => closeSync(fd) };
}

export function carryOut(keeper: Omit<Keeper, 'entrust'>, ask: Exclude<Ask, { ask: 'entrust' }>): Promise<unknown> {
  switch (ask.ask) {
    case 'start':
      return keeper.start(ask.order);
    case 'stop':
      return keeper.stop(ask.run, ask.graceMs);
    case 'list':
      return keeper.list();
    case 'read':
      return keeper.read(ask.run, ask.afterSeq, ask.maxBytes);
    case 'forget':
      return keeper.forget(ask.run);
  }
}

/** Cuts what arrives into lines. Throws RangeError on a line that is too long. */
export function createLines(line: (text: string) => void): (bytes: Uint8Array) => void {
  let waiting: Uint8Array[] = [];
  let size = 0;
  const decoder = new TextDecoder();
  return bytes => {
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      const part = bytes.subarray(from, end);
      const text = waiting.length === 0 ? decoder.decode(part) : decoder.decode(Buffer.concat([...waiting, part]));
      waiting = [];
      size = 0;
      from = end + 1;
      line(text);
    }
    if (from === bytes.length) return;
    waiting.push(bytes.slice(from));
    size += bytes.length - from;
    if (size > LINE_BYTES_MAX) throw new RangeError(`a line of more than ${LINE_BYTES_MAX} bytes`);
  };
}

const isText = (value: unknown): value is string => typeof value === 'string';
/** Instants, spans, sizes, counts and process numbers: no valid number is larger. */
const NUMBER_MAX = 2 ** 50;
const isSpan = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= NUMBER_MAX;

/**
 * What the keeper sent; undefined for what is no JSON object, and where a number in it is one that
 * no keeper means.
 */
export function parseFromKeeper(text: string): FromKeeperFrame | undefined {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null && hasSaneNumbers(frame) ? (frame as FromKeeperFrame) : undefined;
  } catch {
    return undefined;
  }
}

function hasSaneNumbers(value: unknown): boolean {
  if (typeof value === 'number') return isSpan(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(hasSaneNumbers);
}

/**
 * The order when it is one. Only the agent of the same user can send it, so this guards against
 * another version, not against malice.
 */
function isOrder(value: unknown): value is KeepOrder {
  if (typeof value !== 'object' || value === null) return false;
  const { run, argv, cwd, env, user, timeoutMs, killGraceMs, headBytes, tailBytes } = value as Record<string, unknown>;
  return (
    isText(run) &&
    isText(cwd) &&
    Array.isArray(argv) &&
    argv.length > 0 &&
    argv.every(isText) &&
    typeof env === 'object' &&
    env !== null &&
    Object.values(env).every(isText) &&
    (user === undefined || isUser(user)) &&
    [timeoutMs, killGraceMs, headBytes, tailBytes].every(isSpan)
  );
}

/** Anything else would run as the keeper does. */
function isUser(value: unknown): boolean {
  const { uid, gid, groups } = Object(value) as Record<string, unknown>;
  return [uid, gid].every(Number.isSafeInteger) && Array.isArray(groups) && groups.every(Number.isSafeInteger);
}

const isWord = (value: unknown): value is LastWord =>
  typeof value === 'object' && value !== null && isText((value as LastWord).center) && isText((value as LastWord).word);

/**
 * What the agent sent, or a sentence saying why it is nothing the keeper knows. Throws SyntaxError
 * on what is no JSON.
 */
export function parseFromAgent(text: string): FromAgentFrame | { id: number; problem: string } | undefined {
  const frame = JSON.parse(text) as Record<string, unknown> | null;
  if (typeof frame?.agent === 'number') return { agent: frame.agent };
  if (typeof frame?.id !== 'number') return undefined;
  const { id, ask, order, run, graceMs, afterSeq, maxBytes, word } = frame;
  if (ask === 'list') return { id, ask };
  if (ask === 'start')
    return isOrder(order) ? { id, ask, order } : { id, problem: 'the order to start lacks a field or has one of the wrong type' };
  if (ask === 'stop' && isText(run) && isSpan(graceMs)) return { id, ask, run, graceMs };
  if (ask === 'read' && isText(run) && isSpan(afterSeq) && isSpan(maxBytes)) return { id, ask, run, afterSeq, maxBytes };
  if (ask === 'forget' && isText(run)) return { id, ask, run };
  if (ask === 'entrust' && isWord(word)) return { id, ask, word };
  return { id, problem: `the keeper knows no "${String(ask)}" with these fields` };
}
