/** `/v1/files`: uploads in one piece and in parts, ranges, refusals, and apps of uploaded files. */
import { beforeEach, describe, expect, test } from 'bun:test';
import { hex, someBytes } from '../support/store-contract/files.ts';
import { anApi, seedApp, type TestApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await anApi({ env: { TROUPE_FILE_MB: '1', TROUPE_FILES_MAX_MB: '2' } });
});

const bytes = someBytes(10_000);
const sha256 = hex('sha256', bytes);
const md5 = hex('md5', bytes);

const send = (method: string, path: string, body?: Uint8Array | ReadableStream, headers: Record<string, string> = {}) =>
  api.app.request(path, { method, headers, ...(body ? { body: body as BodyInit, duplex: 'half' } : {}) } as RequestInit, {
    address: '10.0.0.9',
  });
const part = (from: number, to: number, total: number | string = bytes.length, digest = sha256) =>
  send('PUT', `/v1/files/${digest}?filename=a.bin`, bytes.slice(from, to), { 'content-range': `bytes ${from}-${to - 1}/${total}` });
const upload = (name = 'a.bin', content: Uint8Array = bytes) => send('POST', `/v1/files?filename=${encodeURIComponent(name)}`, content);
const refusal = async (response: Response | Promise<Response>) => {
  const answered = await response;
  const { error } = (await answered.json()) as { error: { code: string; message: string; field?: string } };
  return { status: answered.status, ...error };
};
const list = async () => (await api.get('/v1/files')).body.items as { name: string; sha256: string }[];

describe('an upload in one piece', () => {
  test('an upload in one piece answers 201 with its digests, and 200 when it is there', async () => {
    const first = await upload();
    expect(first.status).toBe(201);
    const file = { name: 'a.bin', sha256, filecode: md5, size: 10_000, uploadedAt: expect.any(String) };
    expect(await first.json()).toEqual(file);
    expect((await upload()).status).toBe(200);
    expect((await upload('b.bin')).status).toBe(201);
    expect((await list()).map(({ name }) => name)).toEqual(['b.bin', 'a.bin']);
    expect((await api.get('/v1/files?name=a.bin')).body.items).toHaveLength(1);
  });

  test('an upload in one piece of the same name with new content leaves both contents', async () => {
    await upload();
    await upload('a.bin', someBytes(5, 2));
    expect((await api.get('/v1/files?name=a.bin&limit=1')).body.items[0].sha256).toBe(hex('sha256', someBytes(5, 2)));
    expect(await list()).toHaveLength(2);
    expect((await send('GET', `/v1/files/${sha256}`)).status).toBe(200);
  });

  test('an upload in one piece of no bytes is a file of no bytes', async () => {
    const response = await send('POST', '/v1/files?filename=empty');
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ size: 0, filecode: hex('md5', '') });
    expect(await (await send('GET', `/v1/files/${hex('sha256', '')}`)).arrayBuffer()).toHaveProperty('byteLength', 0);
  });

  test('an upload in one piece with a wrong name is refused and leaves nothing', async () => {
    for (const name of ['', '.', '..', '.hidden', 'a/b', '../a', 'a\\b', 'a b', 'ä', 'x'.repeat(201), 'a\0']) {
      expect(await refusal(upload(name))).toMatchObject({ status: 400, code: 'invalid', field: 'filename' });
    }
    expect(await refusal(send('POST', '/v1/files', bytes))).toMatchObject({ status: 400, field: 'filename' });
    expect(await list()).toEqual([]);
    expect((await upload('x'.repeat(200))).status).toBe(201);
  });

  test('an upload in one piece over the limit is 413, whether its length is announced or not', async () => {
    const large = new Uint8Array(2 ** 20 + 1);
    expect(await refusal(upload('large', large))).toMatchObject({ status: 413, message: expect.stringContaining('TROUPE_FILE_MB') });
    const stream = new Blob([large]).stream();
    expect(await refusal(send('POST', '/v1/files?filename=large', stream))).toMatchObject({ status: 413, code: 'tooLarge' });
    expect((await upload('fits', large.subarray(1))).status).toBe(201);
    expect((await upload('fits-too', someBytes(2 ** 20, 3))).status).toBe(201);
    expect(await refusal(upload('one-more', someBytes(1, 9)))).toMatchObject({
      status: 413,
      message: expect.stringMatching(/TROUPE_FILES_MAX_MB.*2 of them with 2 MB are named by no app and no job/),
    });
  });

  test('an upload in one piece that breaks off leaves nothing', async () => {
    // As Bun and Deno name it.
    for (const name of ['AbortError', 'BadResource']) {
      const broken = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(bytes.subarray(0, 500));
          controller.error(Object.assign(new Error('gone'), { name }));
        },
      });
      expect(await refusal(send('POST', '/v1/files?filename=broken', broken))).toMatchObject({ status: 400, field: 'body' });
    }
    expect(await list()).toEqual([]);
  });
});

describe('an upload in parts', () => {
  test('an upload in parts answers 202 until it is whole', async () => {
    expect((await send('HEAD', `/v1/files/${sha256}`)).status).toBe(404);
    const first = await part(0, 4_000);
    expect([first.status, await first.json()]).toEqual([202, { received: 4_000 }]);
    const head = await send('HEAD', `/v1/files/${sha256}`);
    expect([head.status, head.headers.get('upload-offset'), head.headers.get('upload-complete')]).toEqual([200, '4000', '?0']);
    expect(await refusal(send('GET', `/v1/files/${sha256}`))).toMatchObject({ status: 404 });
    const last = await part(4_000, 10_000);
    expect([last.status, await last.json()]).toEqual([201, expect.objectContaining({ name: 'a.bin', sha256 })]);
    const whole = await send('HEAD', `/v1/files/${sha256}`);
    expect([whole.headers.get('upload-offset'), whole.headers.get('upload-complete')]).toEqual(['10000', '?1']);
  });

  test('an upload in parts with a hole or a repeat is 409 and says where it goes on', async () => {
    await part(0, 4_000);
    expect(await refusal(part(5_000, 6_000))).toMatchObject({
      status: 409,
      field: 'Content-Range',
      message: expect.stringContaining('must begin at 4000'),
    });
    expect(await refusal(part(0, 4_000))).toMatchObject({ status: 409 });
    expect((await part(4_000, 10_000)).status).toBe(201);
  });

  test('an upload in parts with a wrong range is refused', async () => {
    const put = (range: string) =>
      refusal(send('PUT', `/v1/files/${sha256}?filename=a.bin`, bytes.subarray(0, 100), { 'content-range': range }));
    for (const range of [
      '',
      'bytes',
      'bytes 0-99',
      'bytes 0-99/*',
      'bytes 99-0/200',
      'bytes 0-200/100',
      'bytes -1-98/200',
      'lines 0-99/200',
    ]) {
      expect(await put(range)).toMatchObject({ status: 400, field: 'Content-Range' });
    }
    expect(await refusal(part(0, 100, 2 ** 20 + 1))).toMatchObject({ status: 413 });
    expect(await refusal(part(0, 100, 200, 'abc'))).toMatchObject({ status: 400, field: 'digest' });
    expect((await send('HEAD', `/v1/files/${sha256}`)).status).toBe(404);
  });

  test('an upload in parts with another digest is 400, and may begin anew', async () => {
    const other = hex('sha256', 'other');
    expect(await refusal(part(0, 10_000, 10_000, other))).toMatchObject({ status: 400, field: 'sha256' });
    expect((await send('HEAD', `/v1/files/${other}`)).status).toBe(404);
    expect(await refusal(send('PUT', `/v1/files/${other}?filename=a.bin`, bytes))).toMatchObject({ status: 400, field: 'sha256' });
    expect(await list()).toEqual([]);
  });

  test('an upload in parts completes by an empty range, also where the content is there under another name', async () => {
    const complete = (name: string) => send('PUT', `/v1/files/${sha256}?filename=${name}`, undefined, { 'content-range': 'bytes */10000' });
    expect(await refusal(complete('early.bin'))).toMatchObject({ status: 409 });
    await upload();
    expect((await complete('late.bin')).status).toBe(201);
    expect((await complete('late.bin')).status).toBe(200);
    expect((await list()).map(({ name }) => name)).toEqual(['late.bin', 'a.bin']);
  });
});

describe('a download', () => {
  const get = (headers: Record<string, string> = {}, digest = sha256) => send('GET', `/v1/files/${digest}`, undefined, headers);
  const content = async (response: Response) => new Uint8Array(await response.arrayBuffer());

  beforeEach(async () => void (await upload()));

  test('a download has the content by either digest in any case', async () => {
    for (const digest of [sha256, md5, sha256.toUpperCase()]) {
      const response = await get({}, digest);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-length')).toBe('10000');
      expect(response.headers.get('content-disposition')).toBe('attachment; filename="a.bin"');
      expect(response.headers.get('etag')).toBe(`"${sha256}"`);
      expect(await content(response)).toEqual(bytes);
    }
  });

  test('a download of a range has those bytes', async () => {
    const cases: [string, number, number][] = [
      ['bytes=0-99', 0, 100],
      ['bytes=9000-', 9_000, 10_000],
      ['bytes=-10', 9_990, 10_000],
      ['bytes=9999-20000', 9_999, 10_000],
      ['bytes=-20000', 0, 10_000],
    ];
    for (const [range, from, to] of cases) {
      const response = await get({ range });
      expect([response.status, response.headers.get('content-range')]).toEqual([206, `bytes ${from}-${to - 1}/10000`]);
      expect(await content(response)).toEqual(bytes.slice(from, to));
    }
    for (const range of ['bytes=0-1,5-6', 'lines=0-1', 'bytes=9-1', 'bytes=-']) expect((await get({ range })).status).toBe(200);
    for (const range of ['bytes=10000-', 'bytes=-0']) expect(await refusal(get({ range }))).toMatchObject({ status: 416, field: 'Range' });
  });

  test('a download of what is not there is refused', async () => {
    expect(await refusal(get({}, hex('sha256', 'nothing')))).toMatchObject({ status: 404, code: 'notFound' });
    for (const digest of ['x', 'g'.repeat(64), 'a'.repeat(63), '..%2fa']) {
      expect(await refusal(get({}, digest))).toMatchObject({ status: 400, field: 'digest' });
    }
    await api.world.store.files.delete({ name: 'a.bin', sha256 });
    expect(await refusal(get())).toMatchObject({ status: 404 });
  });

  test('a download of a deleted content is 404, and one that an app names is not deleted', async () => {
    await api.post('/api/app', seedApp({ appURL: `troupe:files/${sha256}` }));
    expect(await refusal(send('DELETE', `/v1/files/${sha256}`))).toMatchObject({ status: 409 });
    await api.del('/api/app/my_app');
    expect((await send('DELETE', `/v1/files/${md5}`)).status).toBe(204);
    expect(await refusal(send('DELETE', `/v1/files/${md5}`))).toMatchObject({ status: 404 });
  });
});

describe('an app of an uploaded file', () => {
  test('an app of an uploaded file is taken by both APIs, and refused while the file is not there', async () => {
    const app = { name: 'files', url: `troupe:files/${sha256}`, command: 'x' };
    expect((await api.post('/v1/apps', app)).body.error).toMatchObject({ code: 'invalid', field: 'url' });
    expect((await api.post('/api/app', seedApp({ appURL: app.url }))).body.error).toMatchObject({ code: 'invalid', field: 'appURL' });
    await upload();
    expect((await api.post('/v1/apps', app)).status).toBe(201);
    expect((await api.post('/api/app', seedApp({ appURL: app.url }))).status).toBe(200);
    expect((await api.post('/v1/apps', { ...app, name: 'other', sha256: hex('sha256', 'other') })).body.error).toMatchObject({
      field: 'sha256',
    });
    for (const url of ['troupe:files/abc', `troupe:other/${sha256}`, `troupe://files/${sha256}`, `troupe:files/${sha256}/x`]) {
      expect((await api.post('/v1/apps', { ...app, name: 'wrong', url })).body.error).toMatchObject({ field: 'url' });
    }
  });
});

describe('files of the Cloudtask dialect', () => {
  const PATH = '/cloudtask/v2/files';
  const file = { filename: 'a.bin', filecode: md5, sha256, size: 10_000 };
  const succeeded = { content: 'request successed.', data: { file } };

  test('files of the Cloudtask dialect are stored in one piece, and read by either digest', async () => {
    const first = await send('POST', `${PATH}?filename=a.bin`, bytes);
    expect([first.status, first.headers.get('content-type'), await first.json()]).toEqual([
      201,
      'application/json; charset=utf-8',
      succeeded,
    ]);
    expect((await send('POST', `${PATH}?filename=a.bin`, bytes)).status).toBe(200);
    for (const digest of [sha256, md5]) {
      const part = await send('GET', `${PATH}/${digest}`, undefined, { range: 'bytes=1-2' });
      expect([part.status, new Uint8Array(await part.arrayBuffer())]).toEqual([206, bytes.slice(1, 3)]);
    }
    expect((await list()).map(({ name }) => name)).toEqual(['a.bin']);
  });

  test('files of the Cloudtask dialect are stored in parts', async () => {
    const put = (from: number, to: number) =>
      send('PUT', `${PATH}/${sha256}?filename=a.bin`, bytes.slice(from, to), { 'content-range': `bytes ${from}-${to - 1}/10000` });
    const first = await put(0, 6_000);
    expect([first.status, await first.json()]).toEqual([202, { content: 'request accepted.', data: { received: 6_000 } }]);
    expect((await send('HEAD', `${PATH}/${sha256}`)).headers.get('upload-offset')).toBe('6000');
    const hole = await put(7_000, 8_000);
    expect([hole.status, await hole.json()]).toEqual([
      409,
      { content: expect.stringContaining('must begin at 6000'), error: expect.stringContaining('Content-Range') },
    ]);
    const last = await put(6_000, 10_000);
    expect([last.status, await last.json()]).toEqual([201, succeeded]);
  });

  test('files of the Cloudtask dialect are refused in its envelope', async () => {
    const cases: [Response | Promise<Response>, number, string][] = [
      [send('POST', PATH, bytes), 400, 'request resolve invaild.'],
      [send('POST', `${PATH}?filename=..`, bytes), 400, 'request resolve invaild.'],
      [send('POST', `${PATH}?filename=large`, new Uint8Array(2 ** 20 + 1)), 413, 'request resolve invaild.'],
      [send('GET', `${PATH}/${sha256}`), 404, 'request resource not found.'],
      [send('GET', `${PATH}/x`), 400, 'request resolve invaild.'],
    ];
    for (const [response, status, content] of cases) {
      const answered = await response;
      expect([answered.status, await answered.json()]).toEqual([status, { content, error: expect.stringMatching(/\.$/) }]);
    }
  });
});
