/** `troupe apps`: programs that hosts fetch and start. */

import type { App } from '../../protocol/rest/app.ts';
import type { BodyOf } from '../../protocol/rest/index.ts';
import { EXIT, wrongUsage } from '../failure.ts';
import { textOption } from '../options.ts';
import { type Family, type VerbCall, verb } from '../verb.ts';
import { commandLine } from '../words.ts';
import { given, releaseOf, showList, statusOr, statusWord } from './common.ts';

const command = { command: textOption('COMMAND', 'the command that starts it, split without a shell; or write it after "--"') };
const settings = async () => (await import('../../protocol/rest/app.ts')).AppFields;

const bodyOf = ({ values, settings, rest }: Pick<VerbCall<typeof command>, 'values' | 'settings' | 'rest'>) => {
  if (rest !== undefined && values.command !== undefined) throw wrongUsage('--command and "--" both give a command; one is enough');
  return { ...settings, ...given({ command: rest ?? values.command }) };
};

const lines = ({ print }: Pick<VerbCall, 'print'>, app: App): string[] =>
  print.record([
    ['name', app.name],
    ['status', statusOr(app), print.paint.state],
    ['url', app.url],
    ['sha256', app.sha256 ?? ''],
    ['command', commandLine(app.command)],
    ['resources', `${app.resources.cpus} cpus, ${app.resources.memoryMB} MB`],
    ['cache', app.cache ? 'kept on the hosts' : 'fetched for every execution'],
    ['jobs', app.jobs.join(', ')],
    ['updated', print.instant(app.updatedAt)],
  ]);

const list = verb({
  summary: 'lists apps by name',
  takes: [],
  options: {},
  query: async () => (await import('../../protocol/rest/app.ts')).appEndpoints['GET /v1/apps'].query,
  async run(call) {
    const { print } = call;
    const page = await call.client.list('GET /v1/apps', { query: call.query });
    await showList<App>(call, page, 'apps', [
      { head: 'NAME', cell: app => app.name },
      { head: 'STATUS', cell: statusWord, paint: print.paint.state },
      { head: 'CPUS', cell: app => String(app.resources.cpus), right: true },
      { head: 'MB', cell: app => String(app.resources.memoryMB), right: true },
      { head: 'JOBS', cell: app => String(app.jobs.length), right: true },
      { head: 'COMMAND', cell: app => commandLine(app.command) },
      { head: 'URL', cell: app => app.url },
    ]);
    return EXIT.done;
  },
});

const show = verb({
  summary: 'shows one app',
  takes: ['APP'],
  options: {},
  async run(call) {
    const app = await call.client.call('GET /v1/apps/:name', { params: { name: call.words[0] ?? '' } });
    await call.print.show(app, () => lines(call, app));
    return EXIT.done;
  },
});

const publish = verb({
  summary: 'publishes an app',
  takes: ['APP'],
  takesRest: true,
  options: command,
  settings,
  examples: ['troupe apps publish my_app --url http://files.example.org/my-job.tar.gz --cpus 0.1 --memory 64 --command bin/start.sh'],
  async run(call) {
    // The center refuses a body with missing fields, and names them.
    const app = await call.client.call('POST /v1/apps', {
      body: { name: call.words[0] ?? '', ...bodyOf(call) } as BodyOf<'POST /v1/apps'>,
    });
    await call.print.show(app, () => [`published ${app.name}`]);
    return EXIT.done;
  },
});

const modify = verb({
  summary: 'changes the given settings of an app; running executions keep the old ones',
  takes: ['APP'],
  takesRest: true,
  options: command,
  settings,
  isChange: true,
  async run(call) {
    const changes = bodyOf(call);
    if (Object.keys(changes).length === 0) throw wrongUsage('no setting to change is given; --help lists the settings');
    const app = await call.client.call('PATCH /v1/apps/:name', { params: { name: call.words[0] ?? '' }, body: changes });
    await call.print.show(app, () => [`modified ${app.name}`]);
    return EXIT.done;
  },
});

const enable = verb({
  summary: 'lets the jobs of an app start again',
  takes: ['APP'],
  options: {},
  async run({ client, print, words }) {
    const app = await client.call('POST /v1/apps/:name/enable', { params: { name: words[0] ?? '' } });
    await print.show(app, () => [`enabled ${app.name}`]);
    return EXIT.done;
  },
});

const disable = verb({
  summary: 'keeps the jobs of an app from starting new executions',
  takes: ['APP'],
  options: {},
  query: async () => (await import('../../protocol/rest/execution.ts')).KillQuery,
  async run({ client, print, words, query }) {
    const app = await client.call('POST /v1/apps/:name/disable', { params: { name: words[0] ?? '' }, query });
    await print.show(app, () => [`disabled ${app.name}`]);
    return EXIT.done;
  },
});

const remove = verb({
  summary: 'deletes an app and its jobs',
  takes: ['APP'],
  options: {},
  async run({ client, print, words }) {
    await client.call('DELETE /v1/apps/:name', { params: { name: words[0] ?? '' } });
    await print.show({ name: words[0], deleted: true }, () => [`deleted ${words[0]}`]);
    return EXIT.done;
  },
});

export const apps: Family = {
  summary: 'programs that hosts fetch and start',
  verbs: {
    list,
    show,
    publish,
    modify,
    enable,
    disable,
    delete: remove,
    release: releaseOf('APP', 'an app', (client, name) => client.call('POST /v1/apps/:name/release', { params: { name } })),
  },
};
