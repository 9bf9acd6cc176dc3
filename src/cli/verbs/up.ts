/** `troupe up`: a center and one agent on this machine, enough to run jobs. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { EXIT, wrongUsage } from '../failure.ts';
import type { Program } from '../verb.ts';
import { CENTER_FLAGS } from './center.ts';

export const up: Program = {
  summary: 'runs a center and one agent on this machine',
  help: `troupe up [flags]

  Runs until SIGINT or SIGTERM ends both. Running jobs go on; the next start manages them again.
  The agent has its data in <data>/agent. It reads TROUPE_NAME, TROUPE_CPUS, TROUPE_MEMORY,
  TROUPE_LABELS and TROUPE_APP_ISOLATION.
  Every flag is a variable, too. A flag wins over its variable.

  --run-as USER          TROUPE_RUN_AS           user of jobs that name none; needs root (the user of the agent)
  --run-as-allowed USER  TROUPE_RUN_AS_ALLOWED   a user that jobs may name; may be repeated (none)
${CENTER_FLAGS}`,
  async main(args, shell) {
    const { startHere } = await import('../start.ts');
    const { startLocalAgent } = await import('../local-agent.ts');
    const { rest, users } = takeUsers(args);
    const started = await startHere(rest, shell);
    if (!started) return EXIT.done;
    const { center, config, say } = started;
    // A process of another user must reach its work directory; it cannot list this one.
    const isForOthers = users.length > 0 || shell.env.TROUPE_RUN_AS || shell.env.TROUPE_RUN_AS_ALLOWED;
    if (isForOthers) await chmod(config.dataDir, 0o711);
    const agent = startLocalAgent({
      args: [
        '--center',
        await fromHere(center.urls),
        '--center-key',
        center.centerKey,
        '--data',
        join(config.dataDir, 'agent'),
        '--pool',
        config.pool,
        ...users,
      ],
      env: { ...shell.env, TROUPE_LOG: `${config.log.level},${config.log.format}` },
      clock: shell.clock,
      createJoinToken: center.createJoinToken,
      say,
    });
    const exit = await Promise.race([started.over(), agent.cannotRun.then(() => EXIT.usage)]);
    await agent.stop();
    await started.stop();
    return exit;
  },
};

/** Separates the flags of the agent from those of the center. */
function takeUsers(args: readonly string[]): { rest: string[]; users: string[] } {
  const taken: Record<'rest' | 'users', string[]> = { rest: [], users: [] };
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    const [flag = ''] = word.split('=', 1);
    if (!['--run-as', '--run-as-allowed'].includes(flag)) taken.rest.push(word);
    else if (word !== flag) taken.users.push(word);
    else {
      const value = args[++at];
      if (value === undefined || value.startsWith('--')) throw wrongUsage(`${flag} needs a user`);
      taken.users.push(flag, value);
    }
  }
  return taken;
}

/** An address for this machine: a center on all addresses listens on loopback too. */
async function fromHere(urls: readonly string[]): Promise<string> {
  const { isLoopbackHost } = await import('../../lib/ip-ranges.ts');
  const all = urls.map(url => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:'));
  return all.find(url => isLoopbackHost(new URL(url).hostname)) ?? all[0] ?? '';
}
