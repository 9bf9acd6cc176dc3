/** Limits of uploaded files, and their retention. */
import { describe, expect, test } from 'bun:test';
import { createFileService } from '../../src/services/files/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { anApi, seedApp } from '../api/support.ts';
import { aJob } from '../support/builders.ts';
import { hex, piecesOf, someBytes } from '../support/store-contract/files.ts';

const DAY_MS = 86_400_000;

async function aFileService(limits: Partial<{ fileBytes: number; filesBytes: number; keepMs: number }> = {}) {
  let time = Date.UTC(2026, 10, 22);
  const now = () => time;
  const api = await anApi({ store: createMemoryStore({ now }) });
  const { store, views } = api.world;
  const service = createFileService({
    files: store.files,
    views,
    clock: { ...api.world.clock, now },
    limits: { fileBytes: 1_000, filesBytes: 3_000, keepMs: 30 * DAY_MS, ...limits },
    log: () => {},
  });
  const upload = (name: string, length: number, announced: number | undefined = undefined) =>
    service.upload({ name, bytes: piecesOf(someBytes(length, length), 100), announced });
  const pass = (ms: number) => {
    time += ms;
  };
  return { api, service, upload, pass };
}

describe('uploaded files', () => {
  test('uploaded files over the limit of one file are refused, also without an announced length', async () => {
    const { service, upload } = await aFileService();
    await upload('fits', 1_000);
    await expect(upload('large', 1_001)).rejects.toMatchObject({ code: 'tooLarge', message: expect.stringContaining('TROUPE_FILE_MB') });
    await expect(upload('large', 0, 1_001)).rejects.toMatchObject({ code: 'tooLarge' });
    expect(await service.totals()).toEqual({ files: 1, bytes: 1_000 });
  });

  test('uploaded files beyond the room of all name what would make room', async () => {
    const { service, upload } = await aFileService();
    for (const length of [998, 999, 1_000]) await upload(`f${length}`, length);
    const refused = upload('one-more', 10);
    await expect(refused).rejects.toMatchObject({
      code: 'tooLarge',
      message: expect.stringMatching(/TROUPE_FILES_MAX_MB\); 3 of them with 1 MB are named by no app and no job: delete some/),
    });
    await service.remove(hex('sha256', someBytes(998, 998)));
    await upload('one-more', 10);
  });

  test('uploaded files that come at once share the room', async () => {
    const { service, upload } = await aFileService();
    const all = await Promise.allSettled([990, 991, 992, 993].map(length => upload(`f${length}`, length)));
    expect(all.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(3);
    expect((await service.totals()).bytes).toBeLessThanOrEqual(3_000);
  });

  test('uploaded files that no app names leave after their time, named ones stay', async () => {
    const { api, service, upload, pass } = await aFileService();
    const { file } = await upload('named', 10);
    await upload('unnamed', 20);
    await api.post('/api/app', seedApp({ appURL: `troupe:files/${file.sha256}` }));
    pass(29 * DAY_MS);
    expect(await service.runOnce()).toEqual({ files: 0, uploads: 0 });
    pass(2 * DAY_MS);
    expect(await service.runOnce()).toEqual({ files: 1, uploads: 0 });
    expect((await service.list({ limit: 9 })).map(({ name }) => name)).toEqual(['named']);
    await expect(service.remove(file.sha256)).rejects.toMatchObject({ code: 'conflict' });
    await api.del('/api/app/my_app');
    pass(29 * DAY_MS);
    expect(await service.runOnce()).toEqual({ files: 0, uploads: 0 });
    pass(3 * DAY_MS);
    expect(await service.runOnce()).toEqual({ files: 1, uploads: 0 });
  });

  test('uploaded files are looked for in many jobs without keeping other work waiting', async () => {
    const { api, service, upload } = await aFileService();
    await upload('named', 10);
    for (let nth = 0; nth < 120; nth++) await api.ask(`job/j${nth}`, { type: 'job.register', config: aJob({ name: `j${nth}` }) });
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await service.runOnce();
    isOver = true;
    // Pages of 50 jobs.
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  test('uploaded files that broke off leave after a day', async () => {
    const { service, pass } = await aFileService();
    const sha256 = hex('sha256', someBytes(500));
    const bytes = piecesOf(someBytes(500).subarray(0, 100));
    await service.uploadPart({ name: 'broken', sha256, from: 0, to: 100, total: 500, bytes });
    expect(await service.received(sha256)).toBe(100);
    pass(23 * 3_600_000);
    expect(await service.runOnce()).toEqual({ files: 0, uploads: 0 });
    pass(3 * 3_600_000);
    expect(await service.runOnce()).toEqual({ files: 0, uploads: 1 });
    expect(await service.received(sha256)).toBeUndefined();
  });
});
