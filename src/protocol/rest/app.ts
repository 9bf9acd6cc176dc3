/** An app: what hosts fetch and start. */
import { z } from 'zod';
import { endpoints } from './endpoint.ts';
import { KillQuery } from './execution.ts';
import { appCommand, choices, cpus, field, flag, memoryMB, name, once, text, whole } from './fields.ts';
import { listOf, paging } from './lists.ts';
import { answered, PatchBody } from './patch.ts';
import { created, moment, Quarantine } from './responses.ts';
import { secret } from './secrets.ts';

const digest = '64 hex digits';

/** Every setting, in the order of answers. */
export const AppFields = z.strictObject(
  {
    name: field(name(), 'unique among the apps of the center', { example: 'my_app', flag: null }),
    url: field(secret(text(4096, 1)), 'where hosts fetch it: an archive or a single script', {
      example: 'https://files.example.org/my_app.tar.gz',
      takes: 'URL',
    }),
    sha256: field(
      z
        .string(digest)
        .regex(/^[0-9a-fA-F]{64}$/, digest)
        .overwrite(hex => hex.toLowerCase())
        .nullable(),
      'SHA-256 of the fetched file; null: any content',
      { example: 'a'.repeat(64), takes: 'HEX', help: 'what the fetched file must hash to' },
    ).default(null),
    command: field(appCommand(), 'what starts it: argv, or one text that is split without a shell', {
      example: 'bin/start.sh',
      flag: null,
    }),
    resources: field(
      z.strictObject(
        {
          cpus: field(cpus(), 'what the app itself takes of a host', { unit: 'cores', example: 0.5, flag: 'cpus' }).default(1),
          memoryMB: field(memoryMB(), 'and of its memory', { unit: 'MB', example: 64, flag: 'memory' }).default(128),
        },
        'an object {cpus, memoryMB}',
      ),
      'what the app itself takes, once per host',
    ).prefault({}),
    cache: field(flag(), 'whether hosts keep what they fetched; else they fetch it for every execution', {
      help: 'hosts keep what they fetched (default), or fetch it for every execution',
    }).default(true),
    traceEvery: field(whole(0, 2 ** 31 - 1), 'keep one of N runs of resident jobs in the history; 0: all', {
      example: 10,
      help: 'keep one of N runs of resident jobs in the history',
      usual: '0, all',
    }).default(0),
    description: field(text(10_000), 'for people', { example: 'the reports' }).default(''),
    enabled: field(flag(), 'whether its jobs start', { flag: null }).default(true),
  },
  'a JSON object',
);

export const App = once(() =>
  z
    .object({
      ...answered(AppFields),
      status: field(z.enum(['enabled', 'disabled', 'deleting', 'deleted']), 'whether its jobs start'),
      jobs: field(z.array(z.string()), 'the jobs that name it', { example: ['nightly'] }),
      quarantine: Quarantine(),
      version: created().rev.describe('grows with each change of its settings'),
      updatedAt: moment('when its settings were changed last'),
      ...created(),
    })
    .meta({ id: 'App' }),
);
export type App = z.output<ReturnType<typeof App>>;

export const appEndpoints = endpoints({
  'GET /v1/apps': {
    tag: 'apps',
    access: 'user',
    summary: 'Apps by name.',
    query: z.object({ ...paging, status: field(choices(['enabled', 'disabled', 'deleting']), 'only those in these states').optional() }),
    answers: () => listOf(App()),
  },
  'POST /v1/apps': {
    tag: 'apps',
    access: 'user',
    summary: 'Publishes an app.',
    takesKey: true,
    body: AppFields,
    answers: App,
    status: 201,
  },
  'GET /v1/apps/:name': { tag: 'apps', access: 'user', summary: 'One app.', answers: App },
  'PATCH /v1/apps/:name': {
    tag: 'apps',
    access: 'user',
    summary: 'Changes the given fields; null puts one back to its default.',
    body: PatchBody,
    patches: AppFields,
    answers: App,
  },
  'DELETE /v1/apps/:name': {
    tag: 'apps',
    access: 'user',
    summary: 'Deregisters its jobs, then deletes the app.',
    answers: null,
    status: 204,
  },
  'POST /v1/apps/:name/enable': { tag: 'apps', access: 'user', summary: 'Its jobs start again.', answers: App },
  'POST /v1/apps/:name/disable': {
    tag: 'apps',
    access: 'user',
    summary: 'Its jobs start no execution; with kill=true their open executions are stopped.',
    query: KillQuery,
    answers: App,
  },
  'POST /v1/apps/:name/release': {
    tag: 'apps',
    access: 'user',
    summary: 'Ends the quarantine of an app: messages that wait for it are delivered.',
    answers: App,
  },
});
