/** `troupe history NAME`: every fact of one actor, the latest first. */

import type { Fact } from '../../protocol/rest/fact.ts';
import type { Page, QueryOf } from '../../protocol/rest/index.ts';
import { describeFact } from '../facts.ts';
import { EXIT, Failure, wrongUsage } from '../failure.ts';
import { limitOption } from '../filters.ts';
import { type VerbCall, verb } from '../verb.ts';
import { showList } from './common.ts';
import { NARROW } from './watch.ts';

const LIMIT_DEFAULT = 1_000;
/** Kinds to search for a bare name, in this order; only ids of executions have an "@". */
const KINDS = ['job', 'host', 'app', 'pool', 'table', 'notice'];

export const history = verb({
  summary: 'lists the facts of one job, execution, app, host or pool, the latest first',
  takes: ['NAME|KIND/NAME'],
  options: {
    limit: limitOption(LIMIT_DEFAULT),
  },
  query: async () => (await import('../../protocol/rest/fact.ts')).historyEndpoints['GET /v1/history/:kind/:name'].query,
  examples: [
    'troupe history hello',
    'troupe history host/web-1',
    'troupe history notice/hello',
    'troupe history hello@20261122T080000.000Z',
  ],
  async run(call) {
    const [address = ''] = call.words;
    const page = await pageOf(call.client, address, { ...call.query, limit: call.values.limit ?? LIMIT_DEFAULT });
    const isNarrow = call.shell.columns < NARROW;
    await showList(call, page, 'facts', [
      { head: 'AT', cell: fact => call.print.instant(fact.at, 'ms') },
      ...(isNarrow ? [] : [{ head: 'FACT', cell: (fact: Fact) => fact.type }]),
      { head: 'WHAT', cell: fact => describeFact(fact, call.print).what },
    ]);
    return EXIT.done;
  },
});

async function pageOf(client: VerbCall['client'], address: string, query: QueryOf<'GET /v1/history/:kind/:name'>) {
  const read = (kind: string, name: string): Promise<Page<Fact>> =>
    client.list('GET /v1/history/:kind/:name', { params: { kind, name }, query });
  const cut = address.indexOf('/');
  if (cut === 0 || cut === address.length - 1)
    throw wrongUsage(`NAME is "${address}", but must be a name such as hello, job/hello or pool/default`);
  if (cut > 0) return read(address.slice(0, cut), address.slice(cut + 1));
  if (address.includes('@')) return read('execution', address);
  const problems: Failure[] = [];
  for (const kind of KINDS) {
    try {
      return await read(kind, address);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'notFound') throw error;
      problems.push(error);
    }
  }
  const meant = problems.map(({ message }) => /; did you mean .*/.exec(message)?.[0]).find(hint => hint !== undefined);
  throw new Failure(EXIT.failed, `job, host, app or pool not found: ${address}${meant ?? ''}`, { code: 'notFound' });
}
