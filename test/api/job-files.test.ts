/** Files of jobs through all surfaces: binding, history, refusals, and what keeps a content. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { EARLIER_MAX } from '../../src/api/commands/job-files.ts';
import { createFileService } from '../../src/services/files/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { hex, piecesOf, someBytes } from '../support/store-contract/files.ts';
import { anApi, seedApp, type TestApi } from './support.ts';

const JOBS = '/cloudtask/v2/jobs';
const NO_FILE = hex('md5', '');
const NAME = 'nightly';
const contentOf = (seed: number) => someBytes(40 + seed, seed);
const md5Of = (seed: number) => hex('md5', contentOf(seed));
const sha256Of = (seed: number) => hex('sha256', contentOf(seed));
const UNKNOWN = 'f'.repeat(32);

async function upload(api: TestApi, name: string, seed: number): Promise<void> {
  const response = await api.app.request(`/v1/files?filename=${name}`, { method: 'POST', body: contentOf(seed) } as RequestInit, {
    address: '10.0.0.9',
  });
  if (response.status > 201) throw new Error(await response.text());
}

/** An api with the content n under the name `a.tar` for each seed, in this order. */
async function withContents(...seeds: number[]): Promise<TestApi> {
  const api = await anApi({ store: createMemoryStore() });
  for (const seed of seeds) await upload(api, 'a.tar', seed);
  return api;
}

const jobid = async (api: TestApi): Promise<string> => (await api.get(`/v1/jobs/${NAME}`)).body.id;
const native = async (api: TestApi) => (await api.get(`/v1/jobs/${NAME}`)).body;
const dialect = async (api: TestApi) => (await api.get(`${JOBS}/${await jobid(api)}`)).body.data.job;
const create = (api: TestApi, fields: object = {}) => api.post(JOBS, { name: NAME, location: 'default', cmd: './run.sh', ...fields });
const change = async (api: TestApi, fields: object) => api.put(`${JOBS}/${await jobid(api)}`, fields);
const shown = ({ filename, filecode, files }: Record<string, unknown>) => ({ filename, filecode, files });

describe('the file of a job of Cloudtask', () => {
  test('the file of a job of Cloudtask is the newest content of its name, in the job and in its base', async () => {
    const api = await withContents(1, 2);
    const { status, body } = await create(api, { filename: 'a.tar' });
    expect(status).toBe(201);
    expect(shown(body.data.job)).toEqual({ filename: 'a.tar', filecode: md5Of(2), files: [] });
    expect((await api.get(`${JOBS}/${await jobid(api)}/base`)).body).toMatchObject({ filename: 'a.tar', filecode: md5Of(2) });
    expect((await native(api)).file).toEqual({ name: 'a.tar', sha256: sha256Of(2), filecode: md5Of(2), size: 42 });
    expect((await native(api)).keepDirectory).toBe(true);
  });

  test('the file of a job of Cloudtask with a filecode is just that content, in any case of its digits', async () => {
    const api = await withContents(1, 2);
    const { body } = await create(api, { filename: 'a.tar', FileCode: md5Of(1).toUpperCase() });
    expect(body.data.job.filecode).toBe(md5Of(1));
  });

  test('the file of a job of Cloudtask changes when it is named again, and its earlier contents stay to go back to', async () => {
    const api = await withContents(1);
    await create(api, { filename: 'a.tar' });
    await upload(api, 'a.tar', 2);
    await upload(api, 'b.tar', 3);
    expect(shown(await dialect(api))).toEqual({ filename: 'a.tar', filecode: md5Of(1), files: [] });
    const at = api.clock.now();
    const one = { name: 'a.tar', createat: at, filecode: md5Of(1) };
    expect(shown((await change(api, { filename: 'a.tar' })).body.data.job)).toEqual({
      ...{ filename: 'a.tar', filecode: md5Of(2), files: [one] },
    });
    const two = { name: 'a.tar', createat: at, filecode: md5Of(2) };
    expect((await change(api, { filename: 'b.tar' })).body.data.job.files).toEqual([two, one]);
    const three = { name: 'b.tar', createat: at, filecode: md5Of(3) };
    expect(shown((await change(api, { filename: 'a.tar', filecode: md5Of(1) })).body.data.job)).toEqual({
      ...{ filename: 'a.tar', filecode: md5Of(1), files: [three, two] },
    });
  });

  test('the file of a job of Cloudtask leaves with an empty name, and goes on among the earlier ones', async () => {
    const api = await withContents(1);
    await create(api, { filename: 'a.tar' });
    const { body } = await change(api, { ...(await dialect(api)), filename: '' });
    expect(shown(body.data.job)).toMatchObject({ filename: '', filecode: NO_FILE, files: [{ name: 'a.tar', filecode: md5Of(1) }] });
    expect(await native(api)).toMatchObject({ file: null, keepDirectory: true });
  });

  test('the file of a job of Cloudtask stays when an answer is sent back, also when its content is gone', async () => {
    const api = await withContents(1);
    await create(api, { filename: 'a.tar' });
    await upload(api, 'a.tar', 2);
    await change(api, { filename: 'a.tar' });
    const before = await dialect(api);
    await upload(api, 'a.tar', 3);
    for (const seed of [1, 2]) await api.store.files.delete({ name: 'a.tar', sha256: sha256Of(seed) });
    const answer = await change(api, before);
    expect(answer.status).toBe(200);
    expect(shown(answer.body.data.job)).toEqual(shown(before));
    const unnamed = await change(api, { cmd: 'true', filename: null, files: [] });
    expect(unnamed.body.data.job).toMatchObject({ ...shown(before), cmd: 'true' });
  });

  test('the file of a job of Cloudtask follows another name that stands beside the old filecode', async () => {
    const api = await withContents(1);
    await upload(api, 'b.tar', 2);
    await create(api, { filename: 'a.tar' });
    const { body } = await change(api, { ...(await dialect(api)), filename: 'b.tar' });
    expect(shown(body.data.job)).toMatchObject({ filename: 'b.tar', filecode: md5Of(2) });
  });

  test('the file of a job of Cloudtask has at most 60 earlier contents, each once', async () => {
    const api = await withContents(0);
    await create(api, { filename: 'a.tar' });
    for (let seed = 1; seed <= EARLIER_MAX + 3; seed++) {
      await upload(api, 'a.tar', seed);
      await change(api, { filename: 'a.tar' });
    }
    const { files, filecode } = await dialect(api);
    expect([filecode, files.length]).toEqual([md5Of(EARLIER_MAX + 3), EARLIER_MAX]);
    expect(files.map((file: { filecode: string }) => file.filecode)).toEqual(
      Array.from({ length: EARLIER_MAX }, (_, index) => md5Of(EARLIER_MAX + 2 - index)),
    );
  });

  const refused: [string, object, string, string][] = [
    [
      'an unknown name',
      { filename: 'b.tar' },
      'filename',
      'filename is "b.tar", but no file of this name is in the center; upload it first.',
    ],
    ['a filecode of no content', { filename: 'a.tar', filecode: UNKNOWN }, 'filename', `no content ${UNKNOWN} of this name`],
    ['a filecode alone of no content', { filecode: UNKNOWN }, 'filename', 'filename is '],
    ['a filecode that is none', { filename: 'a.tar', filecode: 'abc' }, 'filecode', 'an MD5: 32 hex digits'],
    ['a name that is no text', { filename: ['a.tar'] }, 'filename', 'a text of at most 200 characters'],
    ['a name of 201 letters', { filename: 'a'.repeat(201) }, 'filename', 'a text of at most 200 characters'],
    ['a name with a path', { filename: '../a.tar' }, 'filename', 'no file of this name'],
  ];
  test.each(refused)('the file of a job of Cloudtask is refused with %s, and nothing is stored', async (_, fields, field, sentence) => {
    const api = await withContents(1);
    const made = await create(api, fields);
    expect([made.status, made.body.content]).toEqual([400, 'request resolve invaild.']);
    expect(made.body.error).toContain(sentence);
    expect(made.body.error).toContain(field);
    expect((await api.get(JOBS)).body.data.total).toBe(0);
    await create(api, { filename: 'a.tar' });
    const before = await native(api);
    const changed = await change(api, fields);
    expect([changed.status, changed.body.error]).toEqual([400, expect.stringContaining(field)]);
    expect(await native(api)).toEqual(before);
  });

  test('the file of a job of Cloudtask is refused where another surface gave the job an app, and the app where it has a file', async () => {
    const api = await withContents(1);
    await api.post('/api/app', seedApp());
    await create(api);
    const appOf = (app: string | null) => api.patch(`/v1/jobs/${NAME}`, { app });
    await appOf('my_app');
    const refusal = await change(api, { filename: 'a.tar' });
    expect([refusal.status, refusal.body.error]).toEqual([400, expect.stringContaining('filename cannot be beside an app')]);
    await appOf(null);
    await change(api, { filename: 'a.tar' });
    expect((await appOf('my_app')).body.error).toMatchObject({ code: 'invalid', field: 'file' });
    expect(await native(api)).toMatchObject({ app: null, file: { name: 'a.tar' } });
  });

  test('the file of a job of Cloudtask under another name of the same content is no new content', async () => {
    const api = await withContents(1);
    await upload(api, 'b.tar', 1);
    await create(api, { filename: 'a.tar' });
    expect(shown((await change(api, { filename: 'b.tar' })).body.data.job)).toEqual({ filename: 'b.tar', filecode: md5Of(1), files: [] });
  });

  test('the file of a job of Cloudtask is not changed by any uploads, deletions and edits that do not name it', async () => {
    const step = fc.oneof(
      fc.record({ upload: fc.constantFrom('a.tar', 'b.tar'), seed: fc.integer({ min: 0, max: 5 }) }),
      fc.record({ edit: fc.constantFrom<object>({ cmd: 'true' }, { timeout: 5 }, { enabled: 0 }, { description: 'x' }) }),
      fc.constant({ sendBack: true as const }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
        const api = await withContents(0);
        await create(api, { filename: 'a.tar' });
        const { file, files } = await native(api);
        for (const each of steps) {
          if ('upload' in each) await upload(api, each.upload, each.seed);
          else expect((await change(api, 'edit' in each ? each.edit : await dialect(api))).status).toBe(200);
          expect(await native(api)).toMatchObject({ file, files });
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('the file of a job in /v1', () => {
  const post = (api: TestApi, fields: object = {}) => api.post('/v1/jobs', { name: NAME, command: 'true', ...fields });
  const patch = (api: TestApi, fields: object) => api.patch(`/v1/jobs/${NAME}`, fields);
  const asShown = (seed: number) => ({ name: 'a.tar', sha256: sha256Of(seed), filecode: md5Of(seed), size: 40 + seed });

  test('the file of a job in /v1 is taken by its name, or by name and digest, and null takes it away', async () => {
    const api = await withContents(1, 2);
    expect((await post(api, { file: { name: 'a.tar' } })).body.file).toEqual(asShown(2));
    const replacedAt = new Date(api.clock.now()).toISOString();
    const two = { name: 'a.tar', sha256: sha256Of(2), filecode: md5Of(2), replacedAt };
    expect((await patch(api, { file: { name: 'a.tar', sha256: sha256Of(1).toUpperCase() } })).body).toMatchObject({
      ...{ file: asShown(1), files: [two] },
    });
    // A name alone is named again, and not the present content under it.
    expect((await patch(api, { file: { name: 'a.tar' } })).body.file).toEqual(asShown(2));
    expect((await patch(api, { file: null })).body).toMatchObject({
      file: null,
      files: [{ sha256: sha256Of(2) }, { sha256: sha256Of(1) }],
    });
    expect((await native(api)).keepDirectory).toBe(false);
  });

  test('the file of a job in /v1 stays when an answer is sent back, also when its content is gone', async () => {
    const api = await withContents(1, 2);
    await post(api, { file: { name: 'a.tar', sha256: sha256Of(1) } });
    await patch(api, { file: { name: 'a.tar' } });
    const before = await native(api);
    for (const seed of [1, 2]) await api.store.files.delete({ name: 'a.tar', sha256: sha256Of(seed) });
    const { body, status } = await patch(api, before);
    expect(status).toBe(200);
    expect(body).toMatchObject({ file: before.file, files: before.files });
  });

  test('the files of a job in /v1 are taken: fewer of them, in another order, or those of another job', async () => {
    const api = await withContents(1, 2, 3);
    await post(api, { file: { name: 'a.tar', sha256: sha256Of(1) } });
    for (const seed of [2, 3]) await patch(api, { file: { name: 'a.tar', sha256: sha256Of(seed) } });
    const { files } = await native(api);
    expect((await patch(api, { files: [files[1]] })).body.files).toEqual([files[1]]);
    expect((await patch(api, { files: [] })).body.files).toEqual([]);
    const copy = { ...(await native(api)), name: 'copy', files };
    expect((await api.post('/v1/jobs', copy)).body).toMatchObject({ file: asShown(3), files });
  });

  const wrong: [string, object, string, string][] = [
    ['an unknown name', { file: { name: 'b.tar' } }, 'file', 'no file of this name'],
    ['an unknown digest', { file: { name: 'a.tar', sha256: UNKNOWN.repeat(2) } }, 'file', 'no content'],
    ['the MD5 of another content', { file: { name: 'a.tar', sha256: sha256Of(1), filecode: UNKNOWN } }, 'file', 'no content'],
    ['the size of another content', { file: { name: 'a.tar', size: 1 } }, 'file.size', 'but the content has 41 bytes'],
    ['a name with a path', { file: { name: 'x/a.tar' } }, 'file.name', 'a file name'],
    ['a digest that is none', { file: { name: 'a.tar', sha256: 'abc' } }, 'file.sha256', 'a SHA-256'],
    ['a text for an object', { file: 'a.tar' }, 'file', 'an object {name, sha256}'],
    ['an app beside it', { app: 'my_app', file: { name: 'a.tar' } }, 'file', 'app my_app brings the files'],
    ['an unknown earlier one', { files: [{ name: 'b.tar' }] }, 'files[0]', 'no file of this name'],
    ['a wrong instant of an earlier one', { files: [{ name: 'a.tar', replacedAt: 'now' }] }, 'files[0].replacedAt', 'an instant'],
    ['61 earlier ones', { files: Array.from({ length: 61 }, () => ({ name: 'a.tar' })) }, 'files', 'at most 60 files'],
  ];
  test.each(wrong)('the file of a job in /v1 is refused with %s, and nothing is stored', async (_, fields, field, sentence) => {
    const api = await withContents(1);
    await api.post('/api/app', seedApp());
    const made = await post(api, fields);
    expect([made.status, made.body.error]).toEqual([400, { code: 'invalid', field, message: expect.stringContaining(sentence) }]);
    expect((await api.get(`/v1/jobs/${NAME}`)).status).toBe(404);
    await post(api);
    const before = await native(api);
    const changed = await patch(api, fields);
    expect([changed.status, changed.body.error.field]).toEqual([400, field]);
    expect(await native(api)).toEqual(before);
  });

  test('the file of a job in /v1 may lack, and its directory has no effect beside an app, which is a warning', async () => {
    const api = await anApi();
    await api.post('/api/app', seedApp());
    expect((await post(api, { keepDirectory: true })).body).toMatchObject({ keepDirectory: true, warnings: [] });
    const { status, body } = await patch(api, { app: 'my_app', command: null });
    expect([status, body.warnings]).toEqual([200, [{ field: 'keepDirectory', message: expect.stringContaining('app my_app brings') }]]);
  });

  test('the file of a job in /v1 stays under updates of /api, which refuse an app beside it', async () => {
    const api = await withContents(1);
    const job = { jobName: NAME, appName: 'my_app', jobExecutionType: 'TRANSIENT', cron: '0 0 8 * * ?', shardingTotalCount: 1 };
    await post(api, { file: { name: 'a.tar' }, keepDirectory: true });
    await api.post('/api/app', seedApp());
    const script = { ...job, appName: null, cpuCount: 0.1, memoryMB: 64, props: { 'script.command.line': 'ls' } };
    expect((await api.put('/api/job/update', script)).status).toBe(200);
    expect(await native(api)).toMatchObject({ file: asShown(1), keepDirectory: true, command: 'ls' });
    const refusal = await api.put('/api/job/update', { ...script, appName: 'my_app' });
    expect([refusal.status, refusal.text]).toEqual([400, expect.stringContaining('a.tar')]);
    expect(await native(api)).toMatchObject({ file: asShown(1), app: null });
  });
});

describe('a run of a job with a file', () => {
  const filesOf = (api: TestApi) => api.starts().map(({ spec }) => spec.directory?.file?.sha256);
  const triggered = (api: TestApi) => api.post(`/v1/jobs/${NAME}/trigger`);

  test('a run of a job with a file keeps the file with which it began, also in its retries; the next run has the new one', async () => {
    const api = await withContents(1, 2);
    await api.aHost();
    await create(api, { filename: 'a.tar', filecode: md5Of(1) });
    await api.patch(`/v1/jobs/${NAME}`, { retry: { attempts: 2, backoffMs: 1_000 } });
    await triggered(api);
    const [first] = api.starts();
    if (!first) throw new Error('no start was sent');
    expect(first.spec.directory).toMatchObject({ job: await jobid(api), file: { name: 'a.tar', sha256: sha256Of(1), size: 41 } });
    await change(api, { filename: 'a.tar' });
    await api.started(first);
    await api.ended(first, 'failed');
    await api.clock.advance(2_000);
    const second = api.starts()[1];
    if (!second) throw new Error('no retry was sent');
    await api.ended(second);
    await triggered(api);
    expect(filesOf(api)).toEqual([sha256Of(1), sha256Of(1), sha256Of(2)]);
  });

  test('a run of a job with a file that waits keeps the file with which it was created', async () => {
    const api = await withContents(1);
    await create(api, { filename: 'a.tar' });
    await triggered(api);
    await change(api, { filename: '' });
    await api.aHost();
    expect(filesOf(api)).toEqual([sha256Of(1)]);
  });

  test('a run of a job that lost its file, and of a new job of its name, has a directory without one', async () => {
    const api = await withContents(1);
    await api.aHost();
    await create(api, { filename: 'a.tar' });
    const id = await jobid(api);
    await change(api, { filename: '' });
    await triggered(api);
    expect(api.starts()[0]?.spec.directory).toMatchObject({ job: id, file: null });
    await api.del(`/v1/jobs/${NAME}`);
    for (const start of api.starts()) await api.ended(start, 'cancelled');
    await create(api);
    await triggered(api);
    const { directory } = api.starts()[1]?.spec ?? {};
    expect(directory).toMatchObject({ job: await jobid(api), file: null });
    expect(directory?.job).not.toBe(id);
  });
});

describe('a content that a job names', () => {
  const DAY_MS = 86_400_000;

  test('a content that a job names, now or earlier, is not deleted; one that no job names any more is', async () => {
    const api = await withContents(1, 2);
    await create(api, { filename: 'a.tar', filecode: md5Of(1) });
    await change(api, { filename: 'a.tar', filecode: md5Of(2) });
    for (const seed of [1, 2]) {
      const { status, body } = await api.del(`/v1/files/${sha256Of(seed)}`);
      expect([status, body.error.message]).toEqual([409, expect.stringContaining(`is named by job ${NAME}; take it out of "file"`)]);
    }
    await api.patch(`/v1/jobs/${NAME}`, { files: [] });
    expect((await api.del(`/v1/files/${sha256Of(1)}`)).status).toBe(204);
    await api.del(`/v1/jobs/${NAME}`);
    expect((await api.del(`/v1/files/${sha256Of(2)}`)).status).toBe(204);
  });

  /** Both at once, the second a few microtasks later, in either order. */
  async function atOnce(round: number, one: () => Promise<number>, other: () => Promise<number>): Promise<[number, number]> {
    const [first, second] = round % 2 === 0 ? [one, other] : [other, one];
    const begun = first();
    for (let ticks = 0; ticks < round; ticks++) await Promise.resolve();
    const [a, b] = await Promise.all([begun, second()]);
    return round % 2 === 0 ? [a, b] : [b, a];
  }
  const binding = (api: TestApi) => async () => (await create(api, { filename: 'a.tar' })).status;
  const removing = (api: TestApi) => async () =>
    (await api.app.request(`/v1/files/${sha256Of(1)}`, { method: 'DELETE' }, { address: '10.0.0.9' })).status;
  const isThere = async (api: TestApi) => (await api.store.files.stat(sha256Of(1))) !== undefined;

  test('a content that a job is being bound to is there once the job is stored, or the job is refused', async () => {
    for (let round = 0; round < 40; round++) {
      const api = await withContents(1);
      const [bound, removed] = await atOnce(round, binding(api), removing(api));
      expect([`${bound} ${removed}`, await isThere(api)]).toEqual(bound === 201 ? ['201 409', true] : ['400 204', false]);
    }
  });

  test('a content that an app is being bound to is there once the app is stored, or the app is refused', async () => {
    for (let round = 0; round < 40; round++) {
      const api = await withContents(1);
      const publishing = async () =>
        (await api.post('/v1/apps', { name: 'my_app', url: `troupe:files/${sha256Of(1)}`, command: 'a' })).status;
      const [bound, removed] = await atOnce(round, publishing, removing(api));
      expect([`${bound} ${removed}`, await isThere(api)]).toEqual(bound === 201 ? ['201 409', true] : ['400 204', false]);
    }
  });

  test('a content that a job is bound to while old contents are pruned stays, or the job is refused', async () => {
    for (let round = 0; round < 40; round++) {
      const api = await withContents();
      const { clock, views } = api.world;
      await api.store.files.put({ name: 'a.tar', bytes: piecesOf(contentOf(1)), at: clock.now() - 31 * DAY_MS });
      const limits = { fileBytes: 1, filesBytes: 1, keepMs: 30 * DAY_MS };
      const files = createFileService({ files: api.store.files, views, clock, limits, log: () => {} });
      const [bound] = await atOnce(round, binding(api), async () => (await files.runOnce()).files);
      expect([bound, await isThere(api)]).toEqual(bound === 201 ? [201, true] : [400, false]);
    }
  });
});
