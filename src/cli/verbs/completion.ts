/** `troupe completion`: prints the script that a shell reads to complete verbs, flags and names. */
import { readLogins } from '../account.ts';
import type { Client } from '../client.ts';
import { completionFor, NAMED, SHELLS } from '../completion.ts';
import { EXIT, wrongUsage } from '../failure.ts';
import { choiceOption } from '../options.ts';
import { type Entry, verb } from '../verb.ts';

/** The list with the names of each kind. */
const LISTS = {
  job: 'GET /v1/jobs',
  execution: 'GET /v1/executions',
  app: 'GET /v1/apps',
  host: 'GET /v1/hosts',
  pool: 'GET /v1/pools',
} as const;
/** Limit of offered names. */
const NAMES_MAX = 200;

/** `verbs`: all verbs of the program; read when a script is printed. */
export const createCompletion = (verbs: () => Record<string, Entry>) =>
  verb({
    summary: 'prints a script for the completion of verbs, flags and names in a shell',
    takes: [`[${SHELLS.join('|')}]`],
    options: { names: choiceOption(NAMED, 'print the names of this kind instead, for the scripts') },
    examples: [
      'source <(troupe completion bash)    # in ~/.bashrc',
      'source <(troupe completion zsh)     # in ~/.zshrc, behind compinit',
      'troupe completion fish | source     # in ~/.config/fish/config.fish',
    ],
    async run({ client, print, shell, values, words: [word = ''] }) {
      if (values.names !== undefined) {
        const names = values.names === 'center' ? Object.keys((await readLogins(shell.env)).centers) : await namesOf(client, values.names);
        await print.show(names, () => names);
        return EXIT.done;
      }
      const wanted = SHELLS.find(name => name === word);
      if (!wanted)
        throw wrongUsage(`${word === '' ? 'the shell is missing' : `"${word}" is not a supported shell`}: troupe completion bash|zsh|fish`);
      await shell.write(`${await completionFor(wanted, verbs())}\n`);
      return EXIT.done;
    },
  });

async function namesOf(client: Client, kind: keyof typeof LISTS | 'token'): Promise<string[]> {
  const query = { limit: NAMES_MAX };
  // The list of tokens has no pages.
  const { items } = await (kind === 'token' ? client.call('GET /v1/tokens') : client.call(LISTS[kind], { query }));
  return [...new Set(items.map(item => ('name' in item ? item.name : item.id)))];
}
