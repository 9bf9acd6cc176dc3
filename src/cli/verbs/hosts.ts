/** `troupe hosts`: the machines with an agent. */
import { pause } from '../../lib/clock.ts';
import { duration as durationText } from '../../lib/durations.ts';
import type { Host } from '../../protocol/rest/host.ts';
import { EXIT, Failure, Interrupted, wrongUsage } from '../failure.ts';
import { durationOption, flagOption } from '../options.ts';
import type { Printer } from '../printer.ts';
import { type Family, type VerbCall, verb } from '../verb.ts';
import { ago } from '../words.ts';
import { checkExists, releaseOf, shareOf, showList, statusOr, statusWord } from './common.ts';

const labelsOf = ({ labels }: Host): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

/** Every status but `retired`: the number of retired hosts only grows. */
const serving = async (): Promise<string> => {
  const { HOST_STATUSES } = await import('../../protocol/rest/host.ts');
  return HOST_STATUSES.filter(status => status !== 'retired').join(',');
};

const list = verb({
  summary: 'lists hosts by name, without retired ones unless --all or --status selects them',
  takes: [],
  options: {
    all: flagOption('list retired hosts, too'),
  },
  query: async () => (await import('../../protocol/rest/host.ts')).hostEndpoints['GET /v1/hosts'].query,
  async run(call) {
    const now = call.shell.clock.now();
    const { pool, status = call.values.all ? undefined : await serving() } = call.query;
    const page = await call.client.list('GET /v1/hosts', { query: { ...call.query, status } });
    await checkExists(page, [() => pool && call.client.call('GET /v1/pools/:name', { params: { name: pool } })]);
    await showList<Host>(call, page, 'hosts', [
      { head: 'NAME', cell: host => host.name },
      { head: 'STATUS', cell: stateOf, paint: call.print.paint.state },
      { head: 'POOL', cell: host => host.pool, spare: true },
      { head: 'CPUS FREE', cell: host => shareOf(host.free.cpus, host.cpus), right: true },
      { head: 'MB FREE', cell: host => shareOf(host.free.memoryMB, host.memoryMB), right: true },
      { head: 'RUNNING', cell: host => String(host.running), right: true },
      { head: 'SEEN', cell: host => (host.lastSeenAt ? ago(now - Date.parse(host.lastSeenAt)) : ''), right: true },
      { head: 'LABELS', cell: labelsOf, spare: true },
      { head: 'ID', cell: host => host.id, spare: true },
    ]);
    if (!call.print.json)
      for (const host of page.items) if (host.refusing) call.shell.notify(`${host.name} ${refusalOf(host.refusing, call.print)}`);
    return EXIT.done;
  },
});

const refusalOf = ({ reason, since, triedAt }: NonNullable<Host['refusing']>, { instant }: Pick<Printer, 'instant'>): string =>
  `refuses runs since ${instant(since)}: ${reason}; it is tried again ${triedAt === null ? 'with the next run' : `at ${instant(triedAt)}`}`;

/** A ready host may take nothing new for another reason. */
function stateOf(host: Host): string {
  if (host.quarantine || host.status !== 'ready') return statusWord(host);
  return host.excluded ? 'excluded' : host.refusing ? 'refusing' : statusWord(host);
}

const show = verb({
  summary: 'shows one host',
  takes: ['HOST'],
  options: {},
  async run({ client, print, words }) {
    const host = await client.call('GET /v1/hosts/:id', { params: { id: words[0] ?? '' } });
    await print.show(host, () =>
      print.record([
        ['name', host.name],
        ['id', host.id],
        ['status', statusOr(host), print.paint.state],
        ...(host.refusing ? [['refuses', refusalOf(host.refusing, print).replace(/^refuses runs /, '')] as const] : []),
        ['pool', host.pool],
        ...(host.excluded ? [['excluded', `it is not among the servers of pool ${host.pool}, and takes no new runs`] as const] : []),
        ['address', host.address],
        ['system', `${host.os} ${host.arch}`],
        ['cpus', `${shareOf(host.free.cpus, host.cpus)} free`],
        ['memory', `${shareOf(host.free.memoryMB, host.memoryMB)} MB free`],
        ['running', String(host.running)],
        ['labels', labelsOf(host)],
        ['agent', host.agentVersion],
        ['app isolation', host.appIsolation],
        ['run as', [host.runAs ?? "its agent's user", ...host.runAsAllowed].join(', ')],
        ['last seen', print.instant(host.lastSeenAt)],
      ]),
    );
    return EXIT.done;
  },
});

const isNow = (host: Host | undefined, name: string | undefined, word: string): string =>
  `${host?.name ?? name} is ${host?.status ?? `asked to ${word}`}`;

const resume = verb({
  summary: 'ends the draining of a host: it takes new runs again',
  takes: ['HOST'],
  options: {},
  async run({ client, print, words }) {
    const host = await client.call('POST /v1/hosts/:id/resume', { params: { id: words[0] ?? '' } });
    await print.show(host ?? { id: words[0] }, () => [isNow(host, words[0], 'resume')]);
    return EXIT.done;
  },
});

/** Time between two reads of a host, ms. */
const LOOK_MS = 500;
/** Limit of executions in a sentence. */
const NAMED_MAX = 5;

const drain = verb({
  summary: 'keeps new runs from a host; its running ones may finish',
  takes: ['HOST'],
  options: {
    wait: flagOption('wait until nothing runs there'),
    deadline: durationOption('with --wait: limit of the wait; then exit code 1 and the running executions (default: none)'),
  },
  hints: { timeout: '--deadline limits --wait' },
  examples: ['troupe hosts drain web-1 --wait --deadline 10m && reboot'],
  async run(call) {
    const { client, print, words, values, shell } = call;
    if (values.deadline !== undefined && !values.wait) throw wrongUsage('--deadline needs --wait');
    const host = await client.call('POST /v1/hosts/:id/drain', { params: { id: words[0] ?? '' } });
    if (!values.wait || host === undefined) {
      await print.show(host ?? { id: words[0] }, () => [isNow(host, words[0], 'drain')]);
      return EXIT.done;
    }
    const until = shell.clock.monotonic() + (values.deadline ?? Number.POSITIVE_INFINITY);
    let running: number | undefined;
    for (let now = host; ; now = await client.call('GET /v1/hosts/:id', { params: { id: host.id } })) {
      // Lost and retired hosts run nothing any more.
      if (now.running === 0 && now.status !== 'ready') {
        await print.show(now, () => [`${now.name} is ${now.status === 'draining' ? 'drained' : `${now.status}, and nothing runs there`}`]);
        return EXIT.done;
      }
      if (now.status === 'ready') throw new Failure(EXIT.failed, `${now.name} was resumed meanwhile and is ready again`);
      if (!print.json && now.running !== running) shell.notify(`${now.name} is ${now.status}: ${now.running} still running`);
      running = now.running;
      if (shell.clock.monotonic() >= until) {
        const what = await whatRuns(call, now);
        throw new Failure(
          EXIT.failed,
          `${now.name} is not drained within ${durationText(values.deadline ?? 0)}; it goes on draining, and runs ${what}`,
        );
      }
      await pause(shell.clock, Math.min(LOOK_MS, Math.max(1, until - shell.clock.monotonic())), shell.signal);
      if (shell.signal.aborted)
        throw new Interrupted(`no longer waiting; ${now.name} goes on draining, and "troupe hosts resume ${now.name}" would end it`);
    }
  },
});

async function whatRuns({ client }: Pick<VerbCall, 'client'>, host: Host): Promise<string> {
  const query = { host: host.id, status: 'pending,running,cancelling', limit: NAMED_MAX + 1 };
  const { items } = await client.list('GET /v1/executions', { query });
  const named = items.slice(0, NAMED_MAX).map(({ id }) => id);
  return `${named.join(', ')}${items.length > NAMED_MAX ? ' and more' : ''}`;
}

const retire = verb({
  summary: 'retires a host for good: ends its runs, and never accepts its key again',
  takes: ['[HOST]'],
  options: { lost: flagOption('retire all lost hosts, without HOST') },
  examples: ['troupe hosts retire web-1', 'troupe hosts retire --lost'],
  async run(call) {
    const { client, print, words, values } = call;
    if ((words[0] === '') !== (values.lost === true)) throw wrongUsage('either HOST or --lost must name the hosts to retire');
    const ids = values.lost ? (await hostsThatAre(call, 'lost')).map(({ id }) => id) : [words[0] ?? ''];
    const hosts: (Host | undefined)[] = [];
    for (const id of ids) hosts.push(await client.call('POST /v1/hosts/:id/retire', { params: { id } }));
    await print.show(values.lost ? { items: hosts } : (hosts[0] ?? { id: words[0] }), () =>
      hosts.length === 0 ? ['no host is lost'] : hosts.map(host => isNow(host, words[0], 'retire')),
    );
    return EXIT.done;
  },
});

const prune = verb({
  summary: 'deletes one retired host or all; their history stays for the usual time',
  takes: ['[HOST]'],
  options: {},
  async run(call) {
    const { client, print, words } = call;
    const [name] = words;
    const hosts = name ? [await client.call('GET /v1/hosts/:id', { params: { id: name } })] : await hostsThatAre(call, 'retired');
    for (const { id } of hosts) await client.call('DELETE /v1/hosts/:id', { params: { id } });
    const items = hosts.map(({ id, name }) => ({ id, name, deleted: true }));
    await print.show({ items }, () =>
      items.length === 0 ? ['no host is retired'] : items.map(({ name, id }) => `deleted ${name} (${id})`),
    );
    return EXIT.done;
  },
});

/** In one list: a fleet has at most some thousands. */
const hostsThatAre = async ({ client }: Pick<VerbCall, 'client'>, status: string): Promise<Host[]> =>
  (await client.list('GET /v1/hosts', { query: { status, limit: 100_000 } })).items;

export const hosts: Family = {
  summary: 'the machines with an agent',
  verbs: {
    list,
    show,
    drain,
    resume,
    retire,
    prune,
    release: releaseOf('HOST', 'a host', (client, id) => client.call('POST /v1/hosts/:id/release', { params: { id } })),
  },
  hints: { delete: '"troupe hosts retire HOST" ends a host for good, "troupe hosts prune" deletes retired ones' },
};
