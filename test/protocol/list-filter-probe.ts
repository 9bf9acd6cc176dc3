/**
 * The API on a port and the command line against it, about two filters of the list of jobs that the
 * sources have in the copy that `list-filter.test.ts` makes. Prints what each shows as JSON.
 */
import { anApi } from '../api/support.ts';
import { aShell, troupe } from '../cli/support/shell.ts';

const api = await anApi();
const queries: string[] = [];
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    queries.push(decodeURIComponent(new URL(request.url).search));
    return api.app.fetch(request, { address: '127.0.0.1' });
  },
});
const clock = { ...aShell().clock, now: () => Date.parse('2026-11-22T08:30:00.000Z') };
const command = async (...words: string[]) =>
  troupe(words, aShell({ env: { TROUPE_URL: `http://127.0.0.1:${server.port}` }, columns: 200, clock }));
const namesOf = (text: string): string[] => JSON.parse(text).items.map(({ name }: { name: string }) => name);

await api.post('/v1/jobs', { name: 'patient', command: 'x', overlap: 'queue' });
await api.post('/v1/jobs', { name: 'hasty', command: 'x' });
const listed = await api.get('/v1/jobs?overlap=queue,allow');
const refused = await api.get('/v1/jobs?overlap=sometimes');
const late = await api.get('/v1/jobs?changedAfter=soon');
const { paths } = (await api.get('/v1/openapi.json')).body;
const byFlag = await command('jobs', '--overlap', 'queue', '--changed-after', '-2h', '--utc', '--json');
const wrong = await command('jobs', 'list', '--overlap', 'quueue');
const help = await command('jobs', 'list', '--help');
const completion = await command('completion', 'bash');
console.log(
  JSON.stringify({
    listed: namesOf(listed.text),
    refused: [refused.status, refused.body.error],
    late: [late.status, late.body.error.field],
    reference: paths['/v1/jobs'].get.parameters.filter(({ name }: { name: string }) => ['overlap', 'changedAfter'].includes(name)),
    byFlag: namesOf(byFlag.out),
    queries,
    wrong: [wrong.exit, ...wrong.notices],
    help: help.out.split('\n').filter(line => /--(overlap|changed-after) /.test(line)),
    completion: ['--overlap', '--changed-after', "found='skip queue allow replace'"].filter(text => completion.out.includes(text)),
  }),
);
process.exit(0);
