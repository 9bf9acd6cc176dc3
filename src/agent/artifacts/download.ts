/** Downloads one file of an app host, whole or not at all: redirects, limits, digest. */
import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { HttpResponse } from '../../lib/checked-request.ts';
import { ArtifactError } from '../ports.ts';
import { checkUrl, type HostRules } from './addresses.ts';
import { type CenterSource, digestInUrl, downloadFromCenter } from './center-file.ts';
import { diskProblem, isDiskProblem } from './disk-problem.ts';
import { plainBytes } from './encoding.ts';
import { fetchFile } from './file.ts';
import { fileName } from './format.ts';
import type { Fetch } from './http.ts';
import { limitTime } from './time-limit.ts';

export interface Wanted {
  url: string;
  /** Lower-case hex; checked when given. */
  sha256: string | undefined;
  /** Validators of the known copy: the app host may answer 304. */
  etag: string | undefined;
  lastModified: string | undefined;
}

export type Downloaded =
  | { changed: false; etag: string | undefined; lastModified: string | undefined }
  | {
      changed: true;
      sha256: string;
      bytes: number;
      etag: string | undefined;
      lastModified: string | undefined;
      /** The file name, where the URL has none. */
      name?: string | undefined;
    };

export interface Downloader extends CenterSource {
  fetch: Fetch;
  rules: HostRules;
}

/**
 * Writes to `file`, which must not exist. A failure deletes it. Throws ArtifactError, or the
 * signal's reason.
 */
export async function download(by: Downloader, wanted: Wanted, file: string, signal: AbortSignal): Promise<Downloaded> {
  const digest = digestInUrl(wanted.url);
  if (digest !== undefined) {
    const fetched = await downloadFromCenter(by, digest, file, { what: 'the app', signal });
    return { changed: true, ...fetched, etag: undefined, lastModified: undefined };
  }
  const timer = limitTime(by, signal, { what: 'the app', from: 'the app host' });
  try {
    const answer = await follow(by, wanted, timer.signal);
    try {
      const validators = { etag: answer.header('etag'), lastModified: answer.header('last-modified') };
      if (answer.status === 304) return { changed: false, ...validators };
      const { sha256, bytes } = await save(by, answer, { file, name: fileName(wanted.url), progress: timer.progress });
      if (wanted.sha256 !== undefined && wanted.sha256.toLowerCase() !== sha256) {
        throw new ArtifactError('digest', `${shown(wanted.url)} has the sha256 ${sha256}, expected ${wanted.sha256.toLowerCase()}`, {
          transient: false,
        });
      }
      return { changed: true, sha256, bytes, ...validators };
    } finally {
      answer.cancel();
    }
  } catch (problem) {
    await rm(file, { force: true });
    signal.throwIfAborted();
    throw timer.late() ?? explain(problem, wanted.url);
  } finally {
    timer.stop();
  }
}

async function follow(by: Downloader, wanted: Wanted, signal: AbortSignal): Promise<HttpResponse> {
  let url = addressOf(wanted.url);
  // Caches on the way must revalidate at the app host, which alone can tell whether a copy is
  // valid. The app's own setting decides how often.
  const headers: Record<string, string> = { 'cache-control': 'no-cache' };
  if (wanted.etag !== undefined) headers['if-none-match'] = wanted.etag;
  if (wanted.lastModified !== undefined) headers['if-modified-since'] = wanted.lastModified;
  const isConditional = wanted.etag !== undefined || wanted.lastModified !== undefined;
  for (let hop = 0; ; hop++) {
    checkUrl(url, by.rules, hop);
    const answer = await (url.protocol === 'file:' ? fetchFile : by.fetch)(url, { headers, signal });
    const { status } = answer;
    if (status === 200 || (status === 304 && isConditional)) return answer;
    answer.cancel();
    const location = answer.header('location');
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
      const transient = status >= 500 || status === 408 || status === 429;
      throw new ArtifactError('status', `the app host answered ${status} for ${shown(url.href)}`, { transient });
    }
    if (hop >= by.limits.redirects) {
      throw new ArtifactError('unreachable', `${shown(wanted.url)} is redirected more than ${by.limits.redirects} times`, {
        transient: false,
      });
    }
    url = addressOf(location, url);
  }
}

interface Saving {
  file: string;
  /** File name in the URL. */
  name: string;
  progress(): void;
}

async function save(by: Downloader, answer: HttpResponse, { file, name, progress }: Saving): Promise<{ sha256: string; bytes: number }> {
  const announced = answer.header('content-length');
  const expected = announced === undefined ? undefined : Number(announced);
  const most = by.limits.downloadBytes;
  const tooLarge = () => new ArtifactError('tooLarge', `the app has more than the ${most} bytes that are taken`, { transient: false });
  if (expected !== undefined && expected > most) throw tooLarge();
  const hash = createHash('sha256');
  let bytes = 0;
  let sent = 0;
  const out = await open(file, 'wx', 0o600);
  try {
    const received = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of answer.body) {
        progress();
        sent += chunk.byteLength;
        if (sent > most) throw tooLarge();
        yield chunk;
      }
      if (expected !== undefined && sent !== expected)
        throw new ArtifactError('incomplete', `the app host announced ${expected} bytes and sent ${sent}`, { transient: true });
    };
    for await (const chunk of plainBytes(received(), answer.header('content-encoding'), name)) {
      bytes += chunk.byteLength;
      if (bytes > most) throw tooLarge();
      hash.update(chunk);
      await out.writeFile(chunk);
    }
  } finally {
    await out.close();
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Throws ArtifactError. */
export function addressOf(url: string, base?: URL): URL {
  try {
    return new URL(url, base);
  } catch (cause) {
    throw new ArtifactError('unsupported', `"${url}" is not an address an app can come from`, { transient: false, cause });
  }
}

/** A URL for messages: without credentials and query, which may be a signature. */
export function shown(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** Errors of the disk stay such, all others are the network's. */
function explain(problem: unknown, url: string): unknown {
  if (problem instanceof ArtifactError) return problem;
  const { code, syscall, message } = Object(problem) as NodeJS.ErrnoException;
  if (isDiskProblem(problem)) return diskProblem(problem, 'the app');
  // Bun and Node both name a connection that ended inside the body like this.
  if (message === 'aborted')
    return new ArtifactError('incomplete', `the connection broke while ${shown(url)} was fetched`, { transient: true, cause: problem });
  const why = [code, syscall].filter(Boolean).join(' ') || message;
  return new ArtifactError('unreachable', `the app host of ${shown(url)} cannot be reached (${why})`, { transient: true, cause: problem });
}
