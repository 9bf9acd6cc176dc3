/**
 * Files of jobs: the content that a request names, the history of a job, and the update of both
 * while no content of it can leave the file store.
 */
import type { EarlierFile, JobConfig, JobFile } from '../../../actors/job/types.ts';
import { quotedValue } from '../../../actors/schedule/error.ts';
import { Problem } from '../../http/errors.ts';
import { FileRefused } from '../../store/file-port.ts';
import type { Center } from '../route-context.ts';

/** Earlier contents of a job; the oldest leave. */
export const EARLIER_MAX = 60;

type Files = Pick<Center, 'files'>;

/** A name alone means its newest content, a digest beside it just that content. */
export interface AskedFile {
  name: string;
  sha256?: string | undefined;
  md5?: string | undefined;
}

/** Undefined: there is no such content under this name. */
export async function findFile({ files }: Files, { name, sha256, md5 }: AskedFile): Promise<JobFile | undefined> {
  const digests = { ...(sha256 !== undefined && { sha256 }), ...(md5 !== undefined && { md5 }) };
  const [found] = await files.list({ name, ...digests, limit: 1 });
  return found && { name, sha256: found.sha256, md5: found.md5, size: found.bytes };
}

/** Throws Problem `invalid` that names `field`. */
export async function fileOf(center: Files, asked: AskedFile, field: string): Promise<JobFile> {
  const found = await findFile(center, asked);
  if (found) return found;
  const digest = asked.sha256 ?? asked.md5;
  const lacks = digest === undefined ? 'no file of this name is in the center' : `no content ${digest} of this name is in the center`;
  throw new Problem('invalid', `${field} is ${quotedValue(asked.name)}, but ${lacks}; upload it first.`, { field });
}

type Held = Pick<JobConfig, 'file' | 'files'>;

/**
 * What a job holds once it is bound to `file`: the present content becomes the newest earlier one,
 * and the new one is none of them. `at`: epoch ms.
 */
export function boundTo(file: JobFile | null, before: Held, at: number): Required<Held> {
  const { file: present, files = [] } = before;
  const replaced = present && present.sha256 !== file?.sha256 ? [{ name: present.name, sha256: present.sha256, md5: present.md5, at }] : [];
  return { file, files: withoutRepeats([...replaced, ...files], file) };
}

/** The first of each content, without the present one, up to the limit. */
export function withoutRepeats(files: EarlierFile[], present: JobFile | null): EarlierFile[] {
  const known = new Set(present ? [present.sha256] : []);
  const first = files.filter(({ sha256 }) => !known.has(sha256) && known.add(sha256));
  return first.slice(0, EARLIER_MAX);
}

const contentsOf = ({ file, files = [] }: Held): string[] => [...new Set([...(file ? [file] : []), ...files].map(({ sha256 }) => sha256))];

/**
 * Runs `work`, which stores the job `after`, while none of the contents that it names newly can be
 * removed. Throws Problem `invalid` naming `field` where one is gone by now, and the errors of
 * `work`.
 */
export function naming(
  center: Files,
  { after, before = {}, field }: { after: Held; before?: Held; field: string },
  work: () => Promise<void>,
): Promise<void> {
  const known = new Set(contentsOf(before));
  const news = contentsOf(after).filter(sha256 => !known.has(sha256));
  return news.length === 0 ? work() : namingContents(center, news, field, work);
}

/** The same for contents by their SHA-256. */
export async function namingContents({ files }: Files, contents: string[], field: string, work: () => Promise<void>): Promise<void> {
  try {
    await files.naming(contents, work);
  } catch (error) {
    if (!(error instanceof FileRefused) || error.code !== 'notFound') throw error;
    throw new Problem('invalid', `${field} names a file that was just removed: ${error.message}.`, { field, cause: error });
  }
}
