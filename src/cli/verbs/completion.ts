/** `troupe completion`: what a shell reads to complete verbs, flags and names. */
import { readKept } from '../account.ts';
import type { Client } from '../client.ts';
import { completionFor, NAMED, SHELLS } from '../completion.ts';
import { EXIT, wrongUsage } from '../failure.ts';
import { choice } from '../options.ts';
import { verb } from '../verb.ts';

const PATHS = { job: 'jobs', execution: 'executions', app: 'apps', host: 'hosts', pool: 'pools', token: 'tokens' } as const;
/** Names that are offered, at most. */
const NAMES_MAX = 200;

export const completion = verb({
  says: 'prints the script by which a shell completes verbs, flags and names',
  takes: [`[${SHELLS.join('|')}]`],
  options: { names: choice(NAMED, 'print the names of these instead; the scripts ask for them') },
  examples: [
    'source <(troupe completion bash)    # in ~/.bashrc',
    'source <(troupe completion zsh)     # in ~/.zshrc, behind compinit',
    'troupe completion fish | source     # in ~/.config/fish/config.fish',
  ],
  async run({ client, print, shell, values, words: [word = ''] }) {
    if (values.names !== undefined) {
      const names =
        values.names === 'center' ? Object.keys((await readKept(shell.env)).centers) : await namesOf(client, PATHS[values.names]);
      await print.show(names, () => names);
      return EXIT.done;
    }
    const wanted = SHELLS.find(name => name === word);
    if (!wanted)
      throw wrongUsage(
        `${word === '' ? 'the shell is missing' : `"${word}" is no shell that is known here`}: troupe completion bash|zsh|fish`,
      );
    const { VERBS } = await import('./index.ts');
    await shell.write(`${await completionFor(wanted, VERBS)}\n`);
    return EXIT.done;
  },
});

async function namesOf(client: Client, kind: string): Promise<string[]> {
  // The list of tokens has no pages.
  const page = await client.get<{ items: { name?: string; id?: string }[] }>(`/v1/${kind}`, kind === 'tokens' ? {} : { limit: NAMES_MAX });
  return [...new Set(page.items.flatMap(({ name, id }) => name ?? id ?? []))];
}
