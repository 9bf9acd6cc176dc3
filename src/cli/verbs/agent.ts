/** `troupe agent`: the program of a host. It reads its own flags; two are added here. */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { EXIT, Failure, wrongUsage } from '../failure.ts';
import type { Shell } from '../shell.ts';
import type { Program } from '../verb.ts';

export const agent: Program = {
  summary: 'runs the agent of this host: joins a center and runs its share of the jobs',
  usage: async () => (await import('../../config/agent-settings.ts')).AGENT_USAGE + OURS,
  async main(args, shell) {
    const { agentMain } = await import('../../agent/main.ts');
    if (args.includes('--help') || args.includes('-h')) {
      const code = await agentMain(['--help']);
      await shell.write(OURS);
      return code;
    }
    const { rest, found } = take(args, ['--json', '--with-parent'], '--token-file');
    const env = { ...shell.env };
    if (found.has('--json')) env.TROUPE_LOG = `${env.TROUPE_LOG ?? 'info'},json`;
    const file = found.get('--token-file');
    if (file !== undefined) env.TROUPE_JOIN_TOKEN = await readToken(file);
    const parent = found.has('--with-parent') ? await fromParent(shell) : undefined;
    if (parent?.token) env.TROUPE_JOIN_TOKEN = parent.token;
    return agentMain(rest, { env, signal: parent?.signal ?? shell.signal, configured: () => shell.dropSecrets() });
  },
};

const OURS = `  --token-file FILE  a file that holds the join token, instead of --token
  --json             log as JSON, like TROUPE_LOG=json
`;

/** Separates the flags of this file from those that the agent reads. */
function take(args: string[], flags: string[], withValue: string): { rest: string[]; found: Map<string, string> } {
  const found = new Map<string, string>();
  const rest: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? '';
    if (flags.includes(word)) found.set(word, '');
    else if (word === withValue || word.startsWith(`${withValue}=`)) {
      const value = word === withValue ? args[++index] : word.slice(withValue.length + 1);
      if (!value) throw wrongUsage(`${withValue} needs a value`);
      found.set(withValue, value);
    } else rest.push(word);
  }
  return { rest, found };
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new Failure(EXIT.usage, `--token-file is "${file}", which cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * The parent holds the other end of standard input. Its first line is the join token, which no
 * other process can read there. The end of the input is the end of the parent and aborts `signal`.
 */
function fromParent({ signal }: Shell): Promise<{ token: string; signal: AbortSignal }> {
  const alone = new AbortController();
  return new Promise(resolve => {
    let text = '';
    const take = (piece: Buffer) => {
      text += piece;
      if (!text.includes('\n')) return;
      process.stdin.off('data', take).resume();
      resolve({ token: text.split('\n', 1)[0] ?? '', signal: AbortSignal.any([signal, alone.signal]) });
    };
    const gone = () => {
      alone.abort();
      resolve({ token: '', signal: alone.signal });
    };
    process.stdin.on('end', gone).on('error', gone).on('data', take);
  });
}
