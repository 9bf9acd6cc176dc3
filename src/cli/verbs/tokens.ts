/** `troupe tokens`: API tokens of programs. */

import { EXIT } from '../failure.ts';
import { number } from '../options.ts';
import { type Family, verb } from '../verb.ts';
import { given, showList } from './common.ts';

const DAY_MS = 86_400_000;

const list = verb({
  summary: 'lists the tokens of programs by name, without their secrets',
  takes: [],
  options: {},
  async run(call) {
    const page = await call.client.call('GET /v1/tokens');
    await showList(call, page, 'tokens', [
      { head: 'NAME', cell: token => token.name },
      { head: 'SCOPE', cell: token => token.scope },
      { head: 'CREATED', cell: token => call.print.instant(token.createdAt), spare: true },
      { head: 'VALID UNTIL', cell: token => call.print.instant(token.expiresAt) },
      { head: 'LAST USED', cell: token => call.print.instant(token.lastUsedAt) },
    ]);
    return EXIT.done;
  },
});

const create = verb({
  summary: 'creates a token for a program, and prints nothing else on standard output; it is not shown again',
  takes: ['NAME'],
  options: {
    days: number('N', 'days until it expires (default: 365, at most 3660)'),
  },
  settings: async () => (await import('../../protocol/rest/token.ts')).TokenFields,
  examples: [
    'troupe tokens create prometheus --scope metrics --days 3650 > troupe.token',
    'TROUPE_API_TOKEN=$(troupe tokens create ci --scope all)',
  ],
  async run({ client, print, values, settings, words, shell }) {
    const body = given({ ...settings, expiresInMs: values.days === undefined ? undefined : Math.round(values.days * DAY_MS) });
    const made = await client.call('POST /v1/tokens', { body: { name: words[0] ?? '', ...body } });
    await print.show(made, () => [made.token]);
    if (!print.json) shell.notify(`valid until ${print.instant(made.expiresAt)}`);
    return EXIT.done;
  },
});

const remove = verb({
  summary: 'deletes the token of a program',
  takes: ['TOKEN'],
  options: {},
  async run({ client, print, words }) {
    await client.call('DELETE /v1/tokens/:name', { params: { name: words[0] ?? '' } });
    await print.show({ name: words[0], deleted: true }, () => [`deleted ${words[0]}`]);
    return EXIT.done;
  },
});

export const tokens: Family = { summary: 'API tokens of programs such as Prometheus or scripts', verbs: { list, create, delete: remove } };
