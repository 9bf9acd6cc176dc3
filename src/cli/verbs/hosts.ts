/** `troupe hosts`: the machines with an agent. */
import { segment } from '../client.ts';
import { EXIT } from '../failure.ts';
import { choice, flag, text } from '../options.ts';
import type { Printer } from '../printer.ts';
import type { Host } from '../surface.ts';
import { type Family, verb } from '../verb.ts';
import { ago } from '../words.ts';
import { isThere, listOptions, releaseOf, shareOf, showList, statusOr, statusWord } from './common.ts';

const hostPath = (id: string | undefined): string => `/v1/hosts/${segment(id ?? '')}`;
const labelsOf = ({ labels }: Host): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

/** Whoever may still come back. Retired hosts are history: there are ever more of them, and nothing is to be done about one. */
const SERVING = ['joining', 'ready', 'draining', 'suspect', 'lost'] as const;

const list = verb({
  says: 'lists hosts, those that were retired only when they are asked for',
  takes: [],
  options: {
    pool: text('POOL', 'only those of a pool'),
    status: choice([...SERVING, 'retired'], 'only these (default: all but retired)'),
    all: flag('retired ones, too'),
    ...listOptions,
  },
  async run(call) {
    const now = call.shell.clock.now();
    const { pool, all, ...query } = call.values;
    const status = query.status ?? (all ? undefined : SERVING.join(','));
    const page = await call.client.list<Host>('/v1/hosts', { ...query, pool, status });
    await isThere(call.client, page, [pool && `/v1/pools/${segment(pool)}`]);
    await showList<Host>(call, page, 'hosts', [
      { head: 'NAME', cell: host => host.name },
      { head: 'STATUS', cell: host => (host.refusing && !host.quarantine ? 'refusing' : statusWord(host)), paint: call.print.paint.state },
      { head: 'POOL', cell: host => host.pool, spare: true },
      { head: 'CPUS FREE', cell: host => shareOf(host.free.cpus, host.cpus), right: true },
      { head: 'MB FREE', cell: host => shareOf(host.free.memoryMB, host.memoryMB), right: true },
      { head: 'RUNNING', cell: host => String(host.running), right: true },
      { head: 'SEEN', cell: host => (host.lastSeenAt ? ago(now - Date.parse(host.lastSeenAt)) : ''), right: true },
      { head: 'LABELS', cell: labelsOf, spare: true },
      { head: 'ID', cell: host => host.id },
    ]);
    if (!call.print.json)
      for (const host of page.items) if (host.refusing) call.shell.say(`${host.name} ${refusalOf(host.refusing, call.print)}`);
    return EXIT.done;
  },
});

const refusalOf = ({ reason, since, triedAt }: NonNullable<Host['refusing']>, { instant }: Pick<Printer, 'instant'>): string =>
  `refuses runs since ${instant(since)}: ${reason}; it is tried again ${triedAt === null ? 'with the next run' : `at ${instant(triedAt)}`}`;

const show = verb({
  says: 'shows one host',
  takes: ['HOST'],
  options: {},
  async run({ client, print, words }) {
    const host = await client.get<Host>(hostPath(words[0]));
    await print.show(host, () =>
      print.record([
        ['name', host.name],
        ['id', host.id],
        ['status', statusOr(host), print.paint.state],
        ...(host.refusing ? [['refuses', refusalOf(host.refusing, print).replace(/^refuses runs /, '')] as const] : []),
        ['pool', host.pool],
        ['address', host.address],
        ['system', `${host.os} ${host.arch}`],
        ['cpus', `${shareOf(host.free.cpus, host.cpus)} free`],
        ['memory', `${shareOf(host.free.memoryMB, host.memoryMB)} MB free`],
        ['running', String(host.running)],
        ['labels', labelsOf(host)],
        ['agent', host.agentVersion],
        ['apps of runs', host.appIsolation],
        ['last seen', print.instant(host.lastSeenAt)],
      ]),
    );
    return EXIT.done;
  },
});

/** `drain`, `resume` and `retire` differ in a word. */
const turn = (word: 'drain' | 'resume' | 'retire', says: string) =>
  verb({
    says,
    takes: ['HOST'],
    options: {},
    async run({ client, print, words }) {
      const host = await client.post<Host | undefined>(`${hostPath(words[0])}/${word}`);
      await print.show(host ?? { id: words[0] }, () => [`${host?.name ?? words[0]} is ${host?.status ?? `asked to ${word}`}`]);
      return EXIT.done;
    },
  });

export const hosts: Family = {
  says: 'the machines with an agent',
  verbs: {
    list,
    show,
    drain: turn('drain', 'gives a host nothing new; what runs there may finish'),
    resume: turn('resume', 'gives a drained host work again'),
    retire: turn('retire', 'forgets a host for good; its key is worth nothing afterwards'),
    release: releaseOf('HOST', 'a host', hostPath),
  },
};
