/** Notifications for real: a center, an agent and a mail server, killed at the wrong moments. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createServer, type Server } from 'node:http';
import { aCluster, type Cluster, until } from '../support/cluster.ts';
import { aMailServer, type MailServer } from '../support/mail-server.ts';

setDefaultTimeout(90_000);

let cluster: Cluster | undefined;
let mail: MailServer | undefined;
let hooks: Server | undefined;
afterEach(async () => {
  await cluster?.close();
  await mail?.close();
  hooks?.close();
  cluster = mail = hooks = undefined;
});

const TASKS = '/cloudtask/v2/jobs';
interface Fact {
  type: string;
  data: { to: string[]; count: number; delivery: number; reason?: string };
}

async function aClusterWithMail(env: Record<string, string> = {}): Promise<{ cluster: Cluster; mail: MailServer }> {
  mail = await aMailServer();
  cluster = await aCluster({
    env: { TROUPE_SMTP: `smtp://127.0.0.1:${mail.port}`, TROUPE_SMTP_FROM: 'troupe@example.org', TROUPE_WEBHOOK_SECRET: 'key', ...env },
  });
  await cluster.startCenter();
  cluster.startAgent('a1');
  await cluster.ready('a1');
  return { cluster, mail };
}

/** A job through Cloudtask, with a notice of its failures. Returns its jobid. */
async function aTask(cmd: string, to = 'ops@example.org;dev@example.org'): Promise<string> {
  const failed = { enabled: true, subject: 'Nightly broke', to, content: 'see page 12' };
  const body = { name: 'task', location: 'default', cmd, notifysetting: { failed } };
  const { data } = await (cluster as Cluster).call<{ data: { job: { jobid: string } } }>('POST', TASKS, body);
  return data.job.jobid;
}
const act = (jobid: string, action: 'start' | 'stop') =>
  (cluster as Cluster).call('PUT', `${TASKS}/action`, { runtime: 'default', jobid, action });
const isIdle = async () => (await (cluster as Cluster).call<{ status: string }>('GET', '/v1/jobs/task')).status === 'idle';
const isOver = () => until('the job is idle', isIdle);
/** Empty before the first fact: there is no notice actor then. */
async function history(): Promise<Fact[]> {
  const answer = await fetch(`${(cluster as Cluster).url}/v1/history/notice/task`);
  return answer.status === 404 ? [] : ((await answer.json()) as { items: Fact[] }).items;
}
const has = (type: string, count = 1) =>
  until(`the history has ${type}`, async () => (await history()).filter(fact => fact.type === type).length >= count);

describe('a job that fails', () => {
  test('a job that fails sends one mail with its subject, its output and all recipients, and none when it is stopped', async () => {
    const { mail: server } = await aClusterWithMail();
    const jobid = await aTask('echo "<b>the disk is full</b>"; echo to stderr >&2; exit 3');
    await act(jobid, 'start');
    await server.has(1);
    const [received] = server.mails;
    expect(received?.recipients).toEqual(['ops@example.org', 'dev@example.org']);
    expect(received?.headers).toMatchObject({
      subject: 'Nightly broke',
      to: 'ops@example.org, dev@example.org',
      from: 'troupe@example.org',
    });
    for (const words of ['see page 12', 'Job        task', 'Server     a1', 'Exit code  3', '<b>the disk is full</b>', 'to stderr'])
      expect(received?.body).toContain(words);
    expect(received?.body).toContain('&lt;b&gt;the disk is full&lt;/b&gt;');
    await has('notification.sent');
    expect(await history()).toMatchObject([{ type: 'notification.sent', data: { to: ['ops@example.org', 'dev@example.org'], count: 1 } }]);

    await cluster?.call('PUT', `${TASKS}/${jobid}`, { cmd: 'sleep 60' });
    await act(jobid, 'start');
    await until('it runs', async () => !(await isIdle()));
    await act(jobid, 'stop');
    await isOver();
    // A failure after it is the next delivery: nothing was sent for the stop.
    await cluster?.call('PUT', `${TASKS}/${jobid}`, { cmd: 'exit 4', notifysetting: { failed: { enabled: true, to: 'new@example.org' } } });
    await act(jobid, 'start');
    await server.has(2);
    expect(server.mails[1]?.recipients).toEqual(['new@example.org']);
    await has('notification.sent', 2);
    expect(await history()).toHaveLength(2);
  });

  test('a job that fails while the mail server is down sends its mail once, later, though the center is killed in between', async () => {
    const { cluster: center, mail: server } = await aClusterWithMail();
    await server.close();
    const jobid = await aTask('echo why; exit 1');
    await act(jobid, 'start');
    await has('notification.tried');
    await center.killCenter();
    mail = await aMailServer({ port: server.port });
    await center.startCenter();
    await mail.has(1);
    await has('notification.sent');
    expect(mail.mails).toHaveLength(1);
    expect(mail.mails[0]?.body).toContain('why');
    expect((await history()).at(-1)).toMatchObject({ type: 'notification.sent', data: { delivery: 1, count: 1 } });
  });

  test('a job whose mail a server takes without an answer before the center is killed sends it again, as the same message', async () => {
    const { cluster: center, mail: server } = await aClusterWithMail();
    server.options.message = 'end';
    const jobid = await aTask('echo why; exit 1');
    await act(jobid, 'start');
    await server.has(1);
    await center.killCenter();
    server.options.message = undefined as never;
    await center.startCenter();
    await server.has(2);
    await has('notification.sent');
    const [first, second] = server.mails;
    expect(second?.headers['message-id']).toBe(first?.headers['message-id'] as string);
    expect(second?.raw).toBe(first?.raw as string);
  });

  test('a job that fails reaches the other recipients, a webhook among them, while one is refused, and never a metadata address', async () => {
    const { mail: server } = await aClusterWithMail();
    server.options.refuse = { 'gone@example.org': 550 };
    const bodies: string[] = [];
    hooks = createServer((request, response) => {
      request.on('data', chunk => bodies.push(String(chunk)));
      request.on('end', () => response.end());
    });
    await new Promise<void>(done => hooks?.listen(0, '127.0.0.1', () => done()));
    const hook = `http://127.0.0.1:${(hooks.address() as { port: number }).port}/secret`;
    const jobid = await aTask('exit 1', `gone@example.org;ops@example.org;${hook};http://169.254.169.254/latest`);
    await act(jobid, 'start');
    await has('notification.failed');
    const facts = await history();
    expect(facts.filter(({ type }) => type === 'notification.sent').flatMap(({ data }) => data.to)).toEqual([
      'ops@example.org',
      `${new URL(hook).origin}/…`,
    ]);
    expect(facts.filter(({ type }) => type === 'notification.failed').map(({ data }) => data.to)).toEqual([
      ['gone@example.org'],
      ['http://169.254.169.254/…'],
    ]);
    expect(JSON.parse(bodies.join(''))).toMatchObject({ job: 'task', outcome: 'failed', exitCode: 1 });
  });
});
