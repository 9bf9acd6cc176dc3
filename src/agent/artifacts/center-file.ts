/**
 * Downloads a file of the center to which the agent is connected, with the token of the session.
 * A broken download goes on where it stopped, in a later session too.
 *
 *   no session --wait--> request from the bytes that are there --broken, 401, 503--> wait
 *                             \--whole--> digest fits, or does not
 */
import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { HttpResponse } from '../../lib/checked-request.ts';
import { type Clock, pause } from '../../lib/clock.ts';
import { ArtifactError, type CenterFiles } from '../ports.ts';
import { diskProblem, isDiskProblem } from './disk-problem.ts';
import type { Fetch } from './http.ts';
import type { ArtifactLimits } from './limits.ts';
import { limitTime } from './time-limit.ts';

/** Between two attempts, ms. */
const AGAIN_MS = 1_000;

const CENTER_URL = /^troupe:files\/([0-9a-f]{64})$/i;

/** The digest in `troupe:files/<sha256>`, in lower case; undefined for another URL. */
export const digestInUrl = (url: string): string | undefined => CENTER_URL.exec(url)?.[1]?.toLowerCase();

/** The center, and the way to it. */
export interface CenterSource {
  clock: Clock;
  limits: ArtifactLimits;
  /** Undefined while no session is up. */
  center(): CenterFiles | undefined;
  /** To any address: the agent trusts the center that it dialled. */
  fetchFromCenter: Fetch;
}

interface CenterDownload {
  sha256: string;
  bytes: number;
  /** The name under which it was uploaded. */
  name: string | undefined;
}

/**
 * Writes to `file`, which must not exist; a failure deletes it. Retries until the time of a
 * download is over or the center lacks the file. `what`: for messages. Throws ArtifactError, or the
 * signal's reason.
 */
export async function downloadFromCenter(
  by: CenterSource,
  sha256: string,
  file: string,
  { what, signal }: { what: string; signal: AbortSignal },
): Promise<CenterDownload> {
  const timer = limitTime(by, signal, { what, from: 'the center' });
  try {
    return await fetchPieces(by, sha256, file, timer);
  } catch (problem) {
    await rm(file, { force: true });
    signal.throwIfAborted();
    throw timer.late() ?? (isDiskProblem(problem) ? diskProblem(problem, what) : problem);
  } finally {
    timer.stop();
  }
}

/** `progress` is called at each piece. Throws ArtifactError, or the signal's reason. */
async function fetchPieces(
  by: CenterSource,
  sha256: string,
  file: string,
  { signal, progress }: { signal: AbortSignal; progress(): void },
): Promise<CenterDownload> {
  const hash = createHash('sha256');
  const out = await open(file, 'wx', 0o600);
  let bytes = 0;
  let name: string | undefined;
  try {
    for (;;) {
      const answer = await request(by, sha256, bytes, signal);
      name ??= answer && nameIn(answer);
      const isWhole = answer !== undefined && (await receive(answer, by.limits.downloadBytes - bytes, piece));
      if (isWhole) {
        const found = hash.digest('hex');
        if (found === sha256) return { sha256, bytes, name };
        throw new ArtifactError('digest', `the center sent a file with the sha256 ${found}, expected ${sha256}`, { transient: false });
      }
      // A center that is away sends nothing: only the time of the whole download bounds that.
      if (by.center() === undefined) progress();
      await pause(by.clock, AGAIN_MS, signal);
      signal.throwIfAborted();
    }
  } finally {
    await out.close();
  }

  async function piece(chunk: Uint8Array): Promise<void> {
    progress();
    await out.writeFile(chunk);
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
}

/** The answer with the bytes from `from`; undefined: not now. Throws ArtifactError. */
async function request(by: CenterSource, sha256: string, from: number, signal: AbortSignal): Promise<HttpResponse | undefined> {
  const center = by.center();
  if (center === undefined) return undefined;
  const headers = { authorization: `Bearer ${center.token}`, ...(from > 0 ? { range: `bytes=${from}-` } : {}) };
  let answer: HttpResponse;
  try {
    answer = await by.fetchFromCenter(new URL(sha256, center.url), { headers, signal });
  } catch {
    // The center went away: its link notices that, and another session follows.
    signal.throwIfAborted();
    return undefined;
  }
  const { status } = answer;
  if (status === 206 || (status === 200 && from === 0)) return answer;
  // Nothing is left: the connection broke behind the last byte.
  if (status === 416 && from > 0) return { ...answer, header: () => undefined, body: nothing() };
  answer.cancel();
  // The session ended meanwhile, or the center cannot answer now.
  if (status === 401 || status === 429 || status >= 500) return undefined;
  const why = status === 404 ? `has no file ${sha256}; upload it again` : `answered ${status} for file ${sha256}`;
  throw new ArtifactError('status', `the center ${why}`, { transient: false });
}

/** Resolves with whether all announced bytes arrived. Throws ArtifactError and what `take` does. */
async function receive(answer: HttpResponse, most: number, take: (piece: Uint8Array) => Promise<void>): Promise<boolean> {
  // Absent where the center sends pieces: the end of the last one shows that it is whole.
  const length = answer.header('content-length');
  const announced = length === undefined ? undefined : Number(length);
  const tooLarge = () => new ArtifactError('tooLarge', 'the file has more bytes than this host takes of an app', { transient: false });
  if (announced !== undefined && announced > most) throw tooLarge();
  const pieces = answer.body[Symbol.asyncIterator]();
  let received = 0;
  try {
    for (;;) {
      const next = await pieces.next().catch(() => undefined);
      // It may break behind the last byte.
      if (next === undefined) return received === announced;
      if (next.done) return announced === undefined || received === announced;
      received += next.value.byteLength;
      if (received > most) throw tooLarge();
      await take(next.value);
    }
  } finally {
    answer.cancel();
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

const nameIn = (answer: HttpResponse): string | undefined => /filename="([^"]+)"/.exec(answer.header('content-disposition') ?? '')?.[1];
