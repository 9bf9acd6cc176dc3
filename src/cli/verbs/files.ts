/** `troupe files`: uploaded archives, scripts and other content. */
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { EXIT, Failure } from '../failure.ts';
import { openedFile, uploadFile } from '../file-content.ts';
import { textOption } from '../options.ts';
import { type Family, verb } from '../verb.ts';
import { showList } from './common.ts';

const list = verb({
  summary: 'lists uploaded files, the last uploaded first',
  takes: [],
  options: {},
  query: async () => (await import('../../protocol/rest/file.ts')).fileEndpoints['GET /v1/files'].query,
  async run(call) {
    const page = await call.client.list('GET /v1/files', { query: call.query });
    await showList(call, page, 'files', [
      { head: 'NAME', cell: file => file.name },
      { head: 'BYTES', cell: file => String(file.size) },
      { head: 'UPLOADED', cell: file => call.print.instant(file.uploadedAt) },
      { head: 'SHA256', cell: file => file.sha256 },
    ]);
    return EXIT.done;
  },
});

const put = verb({
  summary: 'uploads a file; an upload that broke off goes on where it stopped',
  takes: ['FILE'],
  options: { name: textOption('NAME', 'the name under which it is stored (default: that of the file)') },
  examples: ['troupe files put build/reports.tar.gz', 'troupe apps publish reports --url troupe:files/SHA256 --command bin/start.sh'],
  async run({ client, print, shell, values, words }) {
    const path = resolve(words[0] ?? '');
    const file = await openedFile(path);
    try {
      const stored = await uploadFile(client, file, { name: values.name ?? basename(path), signal: shell.signal });
      await print.show(stored, () => [`uploaded ${stored.name}: troupe:files/${stored.sha256}`]);
      return EXIT.done;
    } finally {
      await file.close();
    }
  },
});

const get = verb({
  summary: 'downloads a file by its SHA-256 or MD5, and checks it',
  takes: ['DIGEST'],
  options: { output: textOption('FILE', 'where to put it (default: its name, in this directory)') },
  examples: ['troupe files get d41d8cd98f00b204e9800998ecf8427e --output run.sh'],
  async run({ client, print, values, words: [digest = ''] }) {
    const response = await client.bytes('GET /v1/files/:digest', { params: { digest } });
    const named = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? digest;
    const path = resolve(values.output ?? named);
    if (values.output === undefined && (await stat(path).catch(() => undefined)))
      throw new Failure(EXIT.failed, `${path} exists already; name another file with --output`);
    const sha256 = (response.headers.get('etag') ?? '').replaceAll('"', '');
    const bytes = await save(response, path, sha256);
    await print.show({ file: path, sha256, size: bytes }, () => [`${path} has ${bytes} bytes, sha256 ${sha256}`]);
    return EXIT.done;
  },
});

const remove = verb({
  summary: 'deletes a file with all of its names',
  takes: ['DIGEST'],
  options: {},
  async run({ client, print, words: [digest = ''] }) {
    await client.call('DELETE /v1/files/:digest', { params: { digest } });
    await print.show({ digest, deleted: true }, () => [`deleted ${digest}`]);
    return EXIT.done;
  },
});

export const files: Family = {
  summary: 'archives, scripts and other content that the center keeps',
  verbs: { list, put, get, delete: remove },
};

/** Under a temporary name until it is whole. Resolves with its bytes. */
async function save(response: Response, path: string, sha256: string): Promise<number> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w');
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      hash.update(piece);
      bytes += piece.length;
      await file.writeFile(piece);
    }
    if (hash.digest('hex') !== sha256) throw new Failure(EXIT.failed, 'the download is damaged or broke off; try again');
    await file.close();
    await rename(partial, path);
    return bytes;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}
