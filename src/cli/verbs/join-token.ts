/** `troupe join-token`: a token that a new agent presents once. */
import { EXIT } from '../failure.ts';
import { verb } from '../verb.ts';

export const joinToken = verb({
  summary: 'creates a token by which agents join, and prints nothing else on standard output',
  takes: [],
  options: {},
  settings: async () => (await import('../../protocol/rest/token.ts')).JoinTokenFields,
  examples: ['TROUPE_JOIN_TOKEN=$(troupe join-token) troupe agent --center ws://127.0.0.1:8899'],
  async run({ client, print, settings, shell }) {
    const made = await client.call('POST /v1/join-tokens', { body: settings });
    await print.show(made, () => [made.token]);
    if (!print.json) shell.notify(`valid until ${print.instant(made.expiresAt)}`);
    return EXIT.done;
  },
});
