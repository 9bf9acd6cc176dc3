/** `troupe join-token`: what a new agent shows once. */
import { EXIT } from '../failure.ts';
import { duration, text, whole } from '../options.ts';
import { verb } from '../verb.ts';
import { given } from './common.ts';

export const joinToken = verb({
  says: 'makes a token by which agents join, and prints nothing else on standard output',
  takes: [],
  options: {
    pool: text('POOL', 'the pool that its hosts join (default: as the agent says)'),
    uses: whole('N', 'how many agents may use it (default: 1)', 1),
    'expires-in': duration('how long it is good for (default and most: 1h)', { min: 1 }),
  },
  examples: ['TROUPE_JOIN_TOKEN=$(troupe join-token) troupe agent --center ws://127.0.0.1:8899'],
  async run({ client, print, values, shell }) {
    const body = given({ pool: values.pool, uses: values.uses, expiresInMs: values['expires-in'] });
    const made = await client.call('POST /v1/join-tokens', { body });
    await print.show(made, () => [made.token]);
    if (!print.json) shell.say(`good until ${print.instant(made.expiresAt)}`);
    return EXIT.done;
  },
});
