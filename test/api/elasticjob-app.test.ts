/** Apps through the ElasticJob-Cloud dialect. */
import { describe, expect, test } from 'bun:test';
import { anApi, seedApp, seedJob } from './support.ts';

describe('an app through ElasticJob-Cloud', () => {
  test('an app through ElasticJob-Cloud is published, and answered in the original field order', async () => {
    const api = await anApi();
    const { status, text } = await api.post('/api/app', seedApp());
    expect([status, text]).toEqual([200, 'true']);
    const published = await api.get('/api/app/my_app');
    expect(published.text).toBe(
      '{"appName":"my_app","appURL":"http://app_host:8080/my-job.tar.gz","bootstrapScript":"bin/start.sh","cpuCount":0.1,"memoryMB":64,"appCacheEnable":true,"eventTraceSamplingCount":0}',
    );
  });

  test('an app through ElasticJob-Cloud takes the defaults of absent fields', async () => {
    const api = await anApi();
    await api.post('/api/app', { appName: 'a', appURL: 'https://h/x.zip', bootstrapScript: 'bin\\start.sh', cpuCount: null });
    expect((await api.get('/api/app/a')).body).toEqual({
      appName: 'a',
      appURL: 'https://h/x.zip',
      bootstrapScript: 'bin\\start.sh',
      cpuCount: 1,
      memoryMB: 128,
      appCacheEnable: true,
      eventTraceSamplingCount: 0,
    });
  });

  const wrong: [string, unknown, string][] = [
    ['bootstrapScript', "bin/start.sh 'open", 'cannot be split into words'],
    ['appName', undefined, 'appName is missing'],
    ['appName', '', 'a name'],
    ['appName', 'a/b', 'a name'],
    ['appName', 'x@-@y', 'a name'],
    ['appName', 'list', 'other than "list"'],
    ['appName', 'a'.repeat(101), 'a name'],
    ['appURL', undefined, 'appURL is missing'],
    ['appURL', 'my-job.tar.gz', 'http or https'],
    ['appURL', 'ftp://h/x', 'http or https'],
    ['appURL', 'file:///etc/passwd', 'an http or https URL: files of the hosts are allowed only with TROUPE_FILE_URLS=on'],
    ['appURL', 'http://metadata.google.internal/x', 'a metadata service'],
    ['appURL', 'http://[::ffff:169.254.169.254]/x', 'link-local'],
    ['appURL', 'http://169.254.169.254/latest', 'link-local'],
    ['appURL', 'http://[fe80::1]/x', 'link-local'],
    ['appURL', 'http://0xa9fe0001/x', 'link-local'],
    ['bootstrapScript', undefined, 'bootstrapScript is missing'],
    ['bootstrapScript', '  ', 'not empty'],
    ['bootstrapScript', 'a\0b', 'NUL'],
    ['bootstrapScript', 'a'.repeat(4_096), 'at most 4096 bytes'],
    ['cpuCount', 0, 'cpuCount is 0, but must be a number from 0.001'],
    ['cpuCount', '0.1', 'cpuCount is "0.1"'],
    ['memoryMB', 0.5, 'memoryMB is 0.5, but must be a number from 1'],
    ['appCacheEnable', 'true', 'true or false'],
    ['eventTraceSamplingCount', -1, 'a whole number from 0'],
    ['eventTraceSamplingCount', 1.5, 'a whole number from 0'],
    ['sha256', 'abc', '64 hex digits'],
  ];
  const rows = wrong.map(([field, value, sentence]) => [field, sentence, value] as const);
  test.each(rows)('an app through ElasticJob-Cloud is refused for its %s (%s), and nothing is stored', async (field, sentence, value) => {
    const api = await anApi();
    const { status, body } = await api.post('/api/app', seedApp({ [field]: value }));
    expect({ status, code: body.error.code, field: body.error.field }).toEqual({ status: 400, code: 'invalid', field });
    expect(body.error.message).toContain(sentence);
    expect((await api.get('/api/app/list')).text).toBe('[]');
  });

  test('an app through ElasticJob-Cloud may come only from the listed hosts', async () => {
    const api = await anApi({ env: { TROUPE_ARTIFACT_HOSTS: 'App_Host' } });
    expect((await api.post('/api/app', seedApp())).status).toBe(200);
    expect((await api.post('/api/app', seedApp({ appName: 'b', appURL: 'http://other/x' }))).body.error.message).toContain('app_host');
  });

  test.each([
    ['h:443', 'https://h/x', 200],
    ['h:80', 'http://H/x', 200],
    ['h:80', 'https://h/x', 400],
    ['[::1]', 'http://[::1]:8080/x', 400],
    ['[::1]:8080', 'http://[::1]:8080/x', 200],
    ['::1', 'http://[::1]:8080/x', 200],
    ['*.h', 'http://h/x', 400],
  ])('the hosts of an app through ElasticJob-Cloud are judged by the list %p: %s', async (hosts, appURL, status) => {
    const api = await anApi({ env: { TROUPE_ARTIFACT_HOSTS: hosts } });
    expect((await api.post('/api/app', seedApp({ appURL }))).status).toBe(status);
  });

  test('an app through ElasticJob-Cloud may be a file of its hosts where that is allowed', async () => {
    const api = await anApi({ env: { TROUPE_FILE_URLS: 'on', TROUPE_ARTIFACT_HOSTS: '*.example.org' } });
    expect((await api.post('/api/app', seedApp({ appURL: 'file:///opt/apps/my-job.tar.gz' }))).status).toBe(200);
    const { status, body } = await api.put('/api/app', { appName: 'my_app', appURL: 'file://elsewhere/x' });
    expect({ status, field: body.error.field }).toEqual({ status: 400, field: 'appURL' });
    expect(body.error.message).toContain('a path on the host that runs the app');
    expect((await api.put('/api/app', { appName: 'my_app', appURL: 'http://a.example.org/x' })).status).toBe(200);
    expect((await api.put('/api/app', { appName: 'my_app', appURL: 'http://example.org/x' })).status).toBe(400);
  });

  test('an app through ElasticJob-Cloud is not published twice', async () => {
    const api = await anApi();
    await api.post('/api/app', seedApp());
    const { status, body } = await api.post('/api/app', seedApp({ appURL: 'http://other/x.zip' }));
    expect({ status, message: body.error.message }).toEqual({ status: 409, message: 'app my_app is published already' });
    expect((await api.get('/api/app/my_app')).body.appURL).toBe('http://app_host:8080/my-job.tar.gz');
  });

  test('an app through ElasticJob-Cloud takes the two-field change of the original document and keeps the rest', async () => {
    const api = await anApi();
    await api.post('/api/app', seedApp({ appCacheEnable: false }));
    expect((await api.put('/api/app', { appName: 'my_app', appCacheEnable: true })).text).toBe('true');
    expect((await api.get('/api/app/my_app')).body).toEqual(seedApp());
  });

  test('an app through ElasticJob-Cloud goes back to a default by null, where there is one', async () => {
    const api = await anApi();
    await api.post('/api/app', seedApp({ appCacheEnable: false, eventTraceSamplingCount: 7 }));
    await api.put('/api/app', { appName: 'my_app', appCacheEnable: null, cpuCount: null, memoryMB: null, eventTraceSamplingCount: null });
    expect((await api.get('/api/app/my_app')).body).toMatchObject({
      appCacheEnable: true,
      cpuCount: 1,
      memoryMB: 128,
      eventTraceSamplingCount: 0,
    });
    expect((await api.put('/api/app', { appName: 'my_app', appURL: null })).body.error.field).toBe('appURL');
  });

  test('an app through ElasticJob-Cloud that does not exist is a 404 everywhere', async () => {
    const api = await anApi();
    const answers = [
      await api.get('/api/app/nope'),
      await api.put('/api/app', { appName: 'nope' }),
      await api.get('/api/app/nope/disable'),
      await api.post('/api/app/nope/disable'),
      await api.post('/api/app/nope/enable'),
      await api.del('/api/app/nope'),
      await api.get('/api/app/%2e%2e%2fx'),
      await api.get(`/api/app/${'x'.repeat(2000)}`),
    ];
    expect(answers.map(answer => answer.status)).toEqual(answers.map(() => 404));
    expect(answers[0]?.body).toEqual({ error: { code: 'notFound', message: 'app not found: nope' } });
  });

  test('an app through ElasticJob-Cloud is disabled and enabled, and its jobs with it', async () => {
    const api = await anApi();
    await api.post('/api/app', seedApp());
    await api.post('/api/job/register', seedJob());
    expect((await api.get('/api/app/my_app/disable')).text).toBe('false');
    expect((await api.post('/api/app/my_app/disable')).text).toBe('true');
    expect((await api.get('/api/app/my_app/disable')).text).toBe('true');
    expect((await api.get('/api/job/my_job/disable')).text).toBe('true');
    expect((await api.post('/api/job/trigger', 'my_job')).status).toBe(409);
    expect((await api.post('/api/app/my_app/enable')).text).toBe('true');
    expect((await api.get('/api/app/my_app/disable')).text).toBe('false');
    expect((await api.get('/api/job/my_job/disable')).text).toBe('false');
  });

  test('an app through ElasticJob-Cloud disabled with kill ends what runs', async () => {
    const api = await anApi();
    await api.world.aHost();
    await api.post('/api/app', seedApp());
    await api.post('/api/job/register', seedJob({ shardingTotalCount: 1 }));
    await api.post('/api/job/trigger', 'my_job');
    await api.post('/api/app/my_app/disable?kill=false');
    expect(api.fleet.sent.map(each => each.command.type)).toEqual(['start']);
    await api.post('/api/app/my_app/disable?kill=true');
    expect(api.fleet.sent.map(each => each.command.type)).toEqual(['start', 'stop']);
    expect((await api.post('/api/app/my_app/disable?kill=maybe')).body.error.field).toBe('kill');
  });

  test('an app through ElasticJob-Cloud is deleted with its jobs', async () => {
    const api = await anApi();
    await api.post('/api/app', seedApp());
    await api.post('/api/job/register', seedJob());
    expect((await api.del('/api/app/my_app')).text).toBe('true');
    expect((await api.get('/api/app/my_app')).status).toBe(404);
    expect((await api.get('/api/job/jobs/my_job')).status).toBe(404);
    expect((await api.post('/api/app', seedApp())).text).toBe('true');
  });

  test('an app through ElasticJob-Cloud is listed by name, and a slash at the end changes nothing', async () => {
    const api = await anApi();
    for (const appName of ['b', 'a', 'c']) await api.post('/api/app/', seedApp({ appName }));
    const { body } = await api.get('/api/app/list/');
    expect(body.map((app: { appName: string }) => app.appName)).toEqual(['a', 'b', 'c']);
  });
});
