/**
 * The API on a port and the command line against it, about a policy that the sources have in the
 * copy that `job-policy.test.ts` makes. Prints what each of them shows of it as JSON.
 */
import { anApi } from '../api/support.ts';
import { aShell, troupe } from '../cli/support/shell.ts';

const api = await anApi();
const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: request => api.app.fetch(request, { address: '127.0.0.1' }) });
const command = async (...words: string[]) =>
  troupe(words, aShell({ env: { TROUPE_URL: `http://127.0.0.1:${server.port}` }, columns: 200 }));
const created = await api.post('/v1/jobs', { name: 'a', command: 'x', coolDownMs: 5000 });
const read = await api.get('/v1/jobs/a');
const stored = await api.views.get('job/a');
const patched = await api.patch('/v1/jobs/a', { coolDownMs: 7000 });
const reset = await api.patch('/v1/jobs/a', { coolDownMs: null });
const refused = await api.post('/v1/jobs', { name: 'b', command: 'x', coolDownMs: -1 });
const { paths, components } = (await api.get('/v1/openapi.json')).body;
const byFlag = await command('jobs', 'create', 'c', '--cool-down', '5m', '--json', '--', 'x');
const shown = await command('jobs', 'show', 'c');
const updated = await command('jobs', 'update', 'c', '--cool-down', '9s', '--json');
const help = await command('jobs', 'create', '--help');
const completion = await command('completion', 'bash');
console.log(
  JSON.stringify({
    created: created.body.coolDownMs,
    read: read.body.coolDownMs,
    stored: (stored?.context.config as { coolDownMs?: number } | undefined)?.coolDownMs,
    patched: patched.body.coolDownMs,
    reset: reset.body.coolDownMs,
    refused: [refused.status, refused.body.error],
    request: paths['/v1/jobs'].post.requestBody.content['application/json'].schema.properties.coolDownMs,
    answer: components.schemas.Job.properties.coolDownMs,
    page: (await api.get('/v1/reference')).text.includes('coolDownMs'),
    byFlag: JSON.parse(byFlag.out).coolDownMs,
    shown: shown.out.split('\n').find(line => line.startsWith('coolDownMs')),
    updated: JSON.parse(updated.out).coolDownMs,
    help: help.out.split('\n').find(line => line.includes('--cool-down')),
    completion: completion.out.includes('--cool-down'),
  }),
);
process.exit(0);
