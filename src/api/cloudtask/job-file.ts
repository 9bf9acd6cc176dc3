/** `filename` and `filecode` of a job: the content that a request binds it to. */
import type { JobConfig, JobFile } from '../../../actors/job/types.ts';
import { Problem } from '../../http/errors.ts';
import { fileOf, findFile } from '../commands/job-files.ts';
import type { RouteContext } from '../route-context.ts';
import type { JobChangeBody } from './job-body.ts';

/** MD5 of no content: the job has no file. */
export const NO_FILE = 'd41d8cd98f00b204e9800998ecf8427e';

const FIELD = 'filename';

/**
 * Undefined: the request changes nothing. A name alone means its newest content, `filecode` beside
 * it just that content; the `filecode` that the job has is no demand beside another name. Throws
 * Problem `invalid`.
 */
export async function askedFile(
  center: Pick<RouteContext, 'files'>,
  { filename, filecode = '' }: Pick<JobChangeBody, 'filename' | 'filecode'>,
  { file, files = [] }: Pick<JobConfig, 'file' | 'files'>,
): Promise<JobFile | null | undefined> {
  if (filename === '') return file ? null : refuseNameless(filecode, NO_FILE);
  const shown = file?.md5 ?? NO_FILE;
  const name = filename ?? file?.name;
  if (name === undefined) return refuseNameless(filecode, shown);
  if (filecode === '') return filename === undefined ? undefined : fileOf(center, { name }, FIELD);
  if (filecode === shown && name === file?.name) return undefined;
  const earlier = files.find(each => each.name === name && each.md5 === filecode);
  const found = await findFile(center, { name, sha256: earlier?.sha256, md5: filecode });
  if (found) return found;
  return fileOf(center, filecode === shown ? { name } : { name, md5: filecode }, FIELD);
}

function refuseNameless(filecode: string, shown: string): undefined {
  if (filecode === '' || filecode === shown) return undefined;
  throw new Problem('invalid', `${FIELD} is empty, but must be the name of the file whose filecode is "${filecode}".`, { field: FIELD });
}
