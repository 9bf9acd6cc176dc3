/** `troupe up`: a center and one agent on this machine, which is all it takes to run jobs. */
import { join } from 'node:path';
import { EXIT } from '../failure.ts';
import type { Program } from '../verb.ts';
import { CENTER_FLAGS } from './center.ts';

export const up: Program = {
  says: 'runs a center and one agent on this machine',
  help: `troupe up [flags]

  Runs until SIGINT or SIGTERM ends both. What jobs have running goes on, and is taken up again by the next start.
  The agent keeps its things in <data>/agent and reads TROUPE_NAME, TROUPE_CPUS, TROUPE_MEMORY and TROUPE_LABELS.
${CENTER_FLAGS}`,
  async main(args, shell) {
    const { startHere } = await import('../start.ts');
    const { startLocalAgent } = await import('../local-agent.ts');
    const started = await startHere(args, shell);
    const { center, config, say } = started;
    const agent = startLocalAgent({
      args: ['--center', fromHere(center.urls), '--data', join(config.dataDir, 'agent'), '--pool', config.pool],
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

/** An address that this machine reaches: a center that listens everywhere listens on loopback, too. */
function fromHere(urls: readonly string[]): string {
  const all = urls.map(url => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:'));
  return all.find(url => /\/\/(127\.|localhost:|\[::1\])/.test(url)) ?? all[0] ?? '';
}
