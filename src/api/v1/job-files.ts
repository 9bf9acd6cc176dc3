/** `file` and `files` of a job in `/v1`: how answers show them, and what requests mean by them. */
import { isDeepStrictEqual } from 'node:util';
import type { EarlierFile, JobConfig, JobFile } from '../../../actors/job/types.ts';
import { Problem } from '../../http/errors.ts';
import type { JobFields } from '../../protocol/rest/job.ts';
import { boundTo, fileOf, withoutRepeats } from '../commands/job-files.ts';
import { toIso } from '../iso.ts';
import type { Center } from '../route-context.ts';

type Held = Pick<JobConfig, 'file' | 'files'>;
type Asked = Pick<ReturnType<typeof JobFields.parse>, 'file' | 'files'>;

export const fileShapes = ({ file, files = [] }: Held) => ({
  file: file ? { name: file.name, sha256: file.sha256, filecode: file.md5, size: file.size } : null,
  files: files.map(({ name, sha256, md5, at }) => ({ name, sha256, filecode: md5, replacedAt: toIso(at) })),
});

/**
 * The files of a body. A value that an answer shows stays as it is, whether its content is there or
 * not. With the same `files` as before the replaced content joins them, else they are as given.
 * Throws Problem `invalid`.
 */
export async function askedFiles(center: Pick<Center, 'files' | 'clock'>, asked: Asked, before: Held): Promise<Required<Held>> {
  const file = asked.file === null ? null : await present(center, asked.file, before);
  const at = center.clock.now();
  if (isDeepStrictEqual(asked.files, fileShapes(before).files)) return boundTo(file, before, at);
  const files = await Promise.all(asked.files.map((each, index) => earlier(center, each, { before, at, field: `files[${index}]` })));
  return { file, files: withoutRepeats(files, file) };
}

async function present(center: Pick<Center, 'files'>, asked: NonNullable<Asked['file']>, before: Held): Promise<JobFile> {
  const shown = fileShapes(before).file;
  const isShown = asked.sha256 !== undefined && isDeepStrictEqual({ ...shown, ...asked }, shown);
  const found = isShown && before.file ? before.file : await fileOf(center, digestsOf(asked), 'file');
  if (asked.size === undefined || asked.size === found.size) return found;
  throw new Problem('invalid', `file.size is ${asked.size}, but the content has ${found.size} bytes; leave it out.`, {
    field: 'file.size',
  });
}

type AskedEarlier = Asked['files'][number];

async function earlier(
  center: Pick<Center, 'files'>,
  asked: AskedEarlier,
  { before, at, field }: { before: Held; at: number; field: string },
): Promise<EarlierFile> {
  const known = before.files?.find(({ name, sha256 }) => name === asked.name && sha256 === asked.sha256);
  if (known) return known;
  const held = before.file?.name === asked.name && before.file.sha256 === asked.sha256 ? before.file : undefined;
  const { name, sha256, md5 } = held ?? (await fileOf(center, digestsOf(asked), field));
  return { name, sha256, md5, at: asked.replacedAt === undefined ? at : Date.parse(asked.replacedAt) };
}

const digestsOf = ({ name, sha256, filecode }: { name: string; sha256?: string | undefined; filecode?: string | undefined }) => ({
  name,
  sha256,
  md5: filecode,
});
