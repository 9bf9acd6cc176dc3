/** `troupe history KIND/NAME`: every fact of one actor, in order. */
import { segment } from '../client.ts';
import { EXIT, wrongUsage } from '../failure.ts';
import { whole } from '../options.ts';
import type { FeedFact } from '../surface.ts';
import { verb } from '../verb.ts';
import { instant } from '../words.ts';
import { listOptions, showList } from './common.ts';
import { wordsOf } from './watch.ts';

export const history = verb({
  says: 'tells everything that happened to one job, execution, app, host or pool, the oldest first',
  takes: ['KIND/NAME'],
  options: {
    limit: whole('N', 'at most so many (default: 1000)', 1, 100_000),
    cursor: listOptions.cursor,
  },
  examples: ['troupe history job/hello', 'troupe history host/web-1'],
  async run(call) {
    const [address = ''] = call.words;
    const cut = address.indexOf('/');
    if (cut < 1 || cut === address.length - 1) throw wrongUsage(`KIND/NAME is "${address}", but must be such as job/hello or pool/default`);
    const path = `/v1/history/${segment(address.slice(0, cut))}/${segment(address.slice(cut + 1))}`;
    const page = await call.client.list<FeedFact>(path, { ...call.values, limit: call.values.limit ?? LIMIT_DEFAULT });
    await showList(call, page, 'facts', [
      { head: 'AT', cell: fact => instant(fact.at, 'ms') },
      { head: 'FACT', cell: fact => fact.type },
      { head: 'WHAT', cell: fact => wordsOf(fact.address, fact.data) },
    ]);
    return EXIT.done;
  },
});

const LIMIT_DEFAULT = 1_000;
