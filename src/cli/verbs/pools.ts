/** `troupe pools`: named groups of hosts with the jobs placed on them. */
import { segment } from '../client.ts';
import { EXIT } from '../failure.ts';
import { text } from '../options.ts';
import type { Pool } from '../surface.ts';
import { type Call, type Family, verb } from '../verb.ts';
import { given, listOptions, showList } from './common.ts';

const poolPath = (name: string | undefined): string => `/v1/pools/${segment(name ?? '')}`;
const settings = {
  'time-zone': text('ZONE', 'of schedules that name none, such as Europe/Berlin'),
  description: text('TEXT', 'for people'),
};

const list = verb({
  says: 'lists pools by name',
  takes: [],
  options: listOptions,
  async run(call) {
    const page = await call.client.list<Pool>('/v1/pools', call.values);
    await showList(call, page, 'pools', [
      { head: 'NAME', cell: pool => pool.name },
      { head: 'TIME ZONE', cell: pool => pool.timeZone ?? '' },
      { head: 'DESCRIPTION', cell: pool => pool.description ?? '' },
    ]);
    return EXIT.done;
  },
});

const told = ({ print }: Pick<Call, 'print'>, thing: object): string[] =>
  print.record(Object.entries(thing).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]));

const show = verb({
  says: 'shows one pool',
  takes: ['POOL'],
  options: {},
  async run(call) {
    const pool = await call.client.get<Pool>(poolPath(call.words[0]));
    await call.print.show(pool, () => told(call, pool));
    return EXIT.done;
  },
});

const create = verb({
  says: 'makes a pool',
  takes: ['POOL'],
  options: settings,
  async run({ client, print, words, values }) {
    const body = given({ timeZone: values['time-zone'], description: values.description });
    const pool = await client.post<Pool>('/v1/pools', { name: words[0], ...body });
    await print.show(pool, () => [`created ${pool.name}`]);
    return EXIT.done;
  },
});

const remove = verb({
  says: 'deletes a pool that nobody uses',
  takes: ['POOL'],
  options: {},
  async run({ client, print, words }) {
    await client.delete(poolPath(words[0]));
    await print.show({ name: words[0], deleted: true }, () => [`deleted ${words[0]}`]);
    return EXIT.done;
  },
});

const allocation = verb({
  says: 'tells what is reserved on which host of a pool',
  takes: ['POOL'],
  options: {},
  async run(call) {
    const ledger = await call.client.get<object>(`${poolPath(call.words[0])}/allocation`);
    await call.print.show(ledger, () => told(call, ledger));
    return EXIT.done;
  },
});

export const pools: Family = { says: 'groups of hosts', verbs: { list, show, create, delete: remove, allocation } };
